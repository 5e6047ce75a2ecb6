import { createHash, randomBytes } from 'node:crypto';
import { access, readFile, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ObjectMissingError,
  ObjectTooLargeError,
  type ObjectStore,
  type StagedObject,
} from '../../src/platform/storage/object-store.port.js';

export interface StoreUnderTest {
  store: ObjectStore;
  /** Number of files that are staged and neither committed nor discarded. */
  staged(): Promise<number>;
  remove(): Promise<void>;
}

const never = new AbortController().signal;
const MAX_BYTES = 10_000_000;

/** The promises of the object store port, checked on one implementation. */
export function describeObjectStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`object store: ${name}`, () => {
    let subject: StoreUnderTest;
    let store: ObjectStore;
    beforeEach(async () => {
      subject = await make();
      ({ store } = subject);
    });
    afterEach(() => subject.remove());

    const stage = (content: Buffer, maxBytes = MAX_BYTES): Promise<StagedObject> =>
      store.stage(Readable.from([content]), { signal: never, maxBytes });

    const put = async (key: string, content: Buffer): Promise<void> => (await stage(content)).commit(key);
    const get = async (key: string): Promise<Buffer> => buffer((await store.read(key)).stream);

    const keysOf = async (prefix: string): Promise<string[]> => {
      const keys: string[] = [];
      for await (const { key } of store.list(prefix)) keys.push(key);
      return keys.sort();
    };

    it('counts, hashes and keeps what it is given, byte by byte', async () => {
      const content = randomBytes(1_000_000);
      const staged = await stage(content);
      expect(staged.bytes).toBe(content.length);
      expect(staged.sha256).toBe(createHash('sha256').update(content).digest('hex'));
      expect(await readFile(staged.path)).toEqual(content);
      await staged.commit('videos/a');
      const { stream, bytes } = await store.read('videos/a');
      expect(bytes).toBe(content.length);
      expect(await buffer(stream)).toEqual(content);
      expect(await subject.staged()).toBe(0);
    });

    it('keeps what arrives in several requests, also when one of them breaks off', async () => {
      const partial = store.partial('part-1');
      expect(await partial.size()).toBe(0);
      expect(await partial.append(Readable.from([Buffer.from('abc')]), 0)).toBe(3);
      const broken = Readable.from(
        (async function* () {
          yield Buffer.from('def');
          await Promise.resolve();
          throw new Error('broken off');
        })(),
      );
      await expect(partial.append(broken, 3)).rejects.toThrow('broken off');
      const size = await store.partial('part-1').size();
      expect([3, 6]).toContain(size);
      expect(await partial.append(Readable.from([Buffer.from('defghi').subarray(size - 3)]), size)).toBe(9);
      expect(await buffer(partial.read())).toEqual(Buffer.from('abcdefghi'));
      const listed = [];
      for await (const { key, bytes } of store.listPartials()) listed.push([key, bytes]);
      expect(listed).toEqual([['part-1', 9]]);
      await store.sweepStaging(new Date(Date.now() + 60_000));
      expect(await partial.size()).toBe(9);
      await partial.discard();
      await partial.discard();
      expect(await partial.size()).toBe(0);
    });

    it('takes no path for the id of a partial file', () => {
      for (const id of ['', '../a', 'a/b', '.', 'A']) expect(() => store.partial(id)).toThrow(TypeError);
    });

    it('takes an empty object', async () => {
      await put('videos/empty', Buffer.alloc(0));
      expect(await get('videos/empty')).toHaveLength(0);
    });

    it('shows nothing before the commit, and nothing after a discard', async () => {
      const staged = await stage(Buffer.from('x'));
      await expect(store.read('videos/a')).rejects.toThrow(ObjectMissingError);
      await staged.discard();
      await staged.discard();
      await expect(access(staged.path)).rejects.toThrow();
      expect([await subject.staged(), await keysOf('')]).toEqual([0, []]);
    });

    it('keeps a committed object when it is discarded afterwards', async () => {
      const staged = await stage(Buffer.from('kept'));
      await staged.commit('videos/a');
      await staged.discard();
      expect((await get('videos/a')).toString()).toBe('kept');
    });

    it('replaces an object as a whole', async () => {
      await put('results/a', Buffer.from('old'));
      const { stream } = await store.read('results/a');
      await put('results/a', Buffer.from('new'));
      expect((await get('results/a')).toString()).toBe('new');
      expect((await buffer(stream)).toString()).toBe('old');
    });

    it('leaves nothing of what is called off in the middle', async () => {
      const controller = new AbortController();
      async function* endless(): AsyncGenerator<Buffer> {
        yield randomBytes(1000);
        controller.abort(new Error('called off'));
        await new Promise((resolve) => setImmediate(resolve));
        yield randomBytes(1000);
      }
      const staging = store.stage(Readable.from(endless()), { signal: controller.signal, maxBytes: MAX_BYTES });
      await expect(staging).rejects.toThrow('called off');
      expect(await subject.staged()).toBe(0);
    });

    it('leaves nothing of a source that breaks', async () => {
      async function* breaking(): AsyncGenerator<Buffer> {
        yield await Promise.resolve(randomBytes(1000));
        throw new Error('broken');
      }
      await expect(store.stage(Readable.from(breaking()), { signal: never, maxBytes: MAX_BYTES })).rejects.toThrow(
        'broken',
      );
      expect(await subject.staged()).toBe(0);
    });

    it('stops at the limit: so many bytes are taken, one more is not', async () => {
      await expect(stage(randomBytes(1001), 1000)).rejects.toThrow(ObjectTooLargeError);
      expect(await subject.staged()).toBe(0);
      await expect(stage(randomBytes(1000), 1000)).resolves.toMatchObject({ bytes: 1000 });
    });

    it('names what is missing as such, and deletes it without complaint', async () => {
      await expect(store.read('videos/none')).rejects.toThrow(ObjectMissingError);
      await expect(store.localFile('videos/none', never)).rejects.toThrow(ObjectMissingError);
      await expect(store.delete('videos/none')).resolves.toBeUndefined();
    });

    it.each([
      [0, 0],
      [0, 99_999],
      [1, 65_536],
      [70_000, 70_001],
      [99_999, 99_999],
    ])('reads the range from %i to %i', async (start, end) => {
      const content = randomBytes(100_000);
      await put('videos/a', content);
      const { stream, bytes } = await store.read('videos/a', { start, end });
      expect(bytes).toBe(content.length);
      expect(await buffer(stream)).toEqual(content.subarray(start, end + 1));
      await expect(store.read('videos/none', { start, end })).rejects.toThrow(ObjectMissingError);
    });

    it('tells size and time of an object, and that there is none', async () => {
      expect(await store.stat('videos/a')).toBeNull();
      await put('videos/a', Buffer.from('xyz'));
      const found = await store.stat('videos/a');
      expect(found).toMatchObject({ key: 'videos/a', bytes: 3 });
      expect(Math.abs(Date.now() - (found?.modifiedAt.getTime() ?? 0))).toBeLessThan(60_000);
      await expect(store.stat('../a')).rejects.toThrow(TypeError);
    });

    it('deletes', async () => {
      await put('videos/a', Buffer.from('x'));
      await store.delete('videos/a');
      await expect(store.read('videos/a')).rejects.toThrow(ObjectMissingError);
    });

    it('hands out a local file for programs that need one', async () => {
      await put('videos/a', Buffer.from('content'));
      const file = await store.localFile('videos/a', never);
      expect(await readFile(file.path, 'utf8')).toBe('content');
      await file.release();
      expect((await get('videos/a')).toString()).toBe('content');
      await expect(store.localFile('videos/a', AbortSignal.abort())).rejects.toThrow();
    });

    it('takes in what a program has written into a scratch file', async () => {
      const scratch = await store.scratch('.zip');
      expect(scratch.path.endsWith('.zip')).toBe(true);
      await expect(access(scratch.path)).rejects.toThrow();
      await writeFile(scratch.path, 'archive');
      const staged = await scratch.stage();
      expect(staged.bytes).toBe(7);
      await staged.commit('results/job/a.zip');
      await scratch.discard();
      expect((await get('results/job/a.zip')).toString()).toBe('archive');
      const unused = await store.scratch('.zip');
      await unused.discard();
      expect(await subject.staged()).toBe(0);
    });

    it('lists by prefix, with sizes and times', async () => {
      for (const key of ['videos/a', 'videos/b', 'results/job/c.zip']) await put(key, Buffer.from('xyz'));
      expect(await keysOf('videos/')).toEqual(['videos/a', 'videos/b']);
      expect(await keysOf('')).toEqual(['results/job/c.zip', 'videos/a', 'videos/b']);
      for await (const { bytes, modifiedAt } of store.list('results/')) {
        expect(bytes).toBe(3);
        expect(Math.abs(Date.now() - modifiedAt.getTime())).toBeLessThan(60_000);
      }
    });

    it('sweeps what was staged before, and nothing else', async () => {
      await put('videos/a', Buffer.from('kept'));
      await stage(Buffer.from('left'));
      expect(await store.sweepStaging(new Date(Date.now() - 60_000))).toBe(0);
      expect(await subject.staged()).toBe(1);
      expect(await store.sweepStaging(new Date(Date.now() + 60_000))).toBe(1);
      expect([await subject.staged(), await keysOf('')]).toEqual([0, ['videos/a']]);
    });

    it.each([
      '',
      '/',
      '/videos/a',
      '../a',
      'videos/../../a',
      'videos//a',
      'videos/.a',
      'Videos/a',
      'videos/a\0',
      'a b',
    ])('refuses the key %j', async (key) => {
      const staged = await stage(Buffer.from('x'));
      await expect(staged.commit(key)).rejects.toThrow(TypeError);
      await expect(store.read(key)).rejects.toThrow(TypeError);
      await expect(store.delete(key)).rejects.toThrow(TypeError);
    });
  });
}
