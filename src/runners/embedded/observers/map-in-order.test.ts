import { setImmediate as nextMacrotask } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { mapInOrder } from './map-in-order.js';

const open = new AbortController().signal;

describe('mapInOrder', () => {
  it('gives results in the order of the items, whatever order they come in', async () => {
    const waits = [5, 1, 3, 0, 2, 4];
    const work = async (turns: number) => {
      for (let i = 0; i < turns; i++) await nextMacrotask();
      return turns * 10;
    };
    const seen = await collect(mapInOrder(source(waits), work, { limit: 3, signal: open }));
    expect(seen).toEqual(waits.map((item) => ({ item, result: item * 10 })));
  });

  it('never works on more than the limit, and takes no more from the source', async () => {
    let [taken, inHand, most] = [0, 0, 0];
    async function* counted() {
      for (let i = 0; i < 50; i++) {
        most = Math.max(most, ++inHand);
        yield taken++;
        await nextMacrotask();
      }
    }
    for await (const { item } of mapInOrder(counted(), (value) => Promise.resolve(value), { limit: 4, signal: open })) {
      expect(item).toBeLessThan(50);
      await nextMacrotask();
      inHand--;
    }
    expect(taken).toBe(50);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('gives a result while the next item is long in coming', async () => {
    let release: () => void = () => undefined;
    async function* slow() {
      yield 1;
      await new Promise<void>((resolve) => (release = resolve));
      yield 2;
    }
    const results = mapInOrder(slow(), (value) => Promise.resolve(value), { limit: 4, signal: open });
    expect((await results.next()).value).toMatchObject({ result: 1 });
    release();
    expect((await results.next()).value).toMatchObject({ result: 2 });
    expect((await results.next()).done).toBe(true);
  });

  it('throws the failure of the source after the results of the items before it', async () => {
    async function* failing() {
      yield 1;
      yield 2;
      throw new Error('damaged');
    }
    const seen: number[] = [];
    const run = async () => {
      const work = async (value: number) => {
        for (let i = 0; i < 5; i++) await nextMacrotask();
        return value;
      };
      for await (const { result } of mapInOrder(failing(), work, { limit: 8, signal: open })) seen.push(result);
    };
    await expect(run()).rejects.toThrow('damaged');
    expect(seen).toEqual([1, 2]);
  });

  it('throws the failure of an item in its place', async () => {
    const seen: number[] = [];
    const work = (value: number) => (value === 2 ? Promise.reject(new Error('bad item')) : Promise.resolve(value));
    const run = async () => {
      const options = { limit: 4, signal: open };
      for await (const { result } of mapInOrder(source([0, 1, 2, 3]), work, options)) seen.push(result);
    };
    await expect(run()).rejects.toThrow('bad item');
    expect(seen).toEqual([0, 1]);
  });

  it('stops waiting when the signal fires, for work and for the source', async () => {
    const never = () => new Promise<number>(() => undefined);
    for (const [items, work] of [
      [source([1, 2]), never],
      [endless(), (value: number) => Promise.resolve(value)],
    ] as const) {
      const controller = new AbortController();
      const waiting = collect(mapInOrder(items, work, { limit: 2, signal: controller.signal }));
      await nextMacrotask();
      controller.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
    }
  });

  it('ends the source when the loop is left', async () => {
    let hasEnded = false;
    async function* watched() {
      try {
        for (let i = 0; ; i++) yield await Promise.resolve(i);
      } finally {
        hasEnded = true;
      }
    }
    for await (const { item } of mapInOrder(watched(), (value) => Promise.resolve(value), { limit: 1, signal: open })) {
      if (item === 3) break;
    }
    expect(hasEnded).toBe(true);
  });
});

async function* source<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  for (const item of items) yield await Promise.resolve(item);
}

async function* endless(): AsyncGenerator<number> {
  yield 1;
  await new Promise<void>(() => undefined);
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
