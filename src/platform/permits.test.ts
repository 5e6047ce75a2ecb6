import { describe, expect, it } from 'vitest';

import { Permits } from './permits.js';

const never = new AbortController().signal;

describe('Permits', () => {
  it('hands out what it has and lets others wait in order', async () => {
    const permits = new Permits(1);
    const order: string[] = [];
    const release = await permits.acquire(never);
    const second = permits.acquire(never).then((releaseSecond) => {
      order.push('second');
      releaseSecond();
    });
    const third = permits.acquire(never).then(() => order.push('third'));
    expect(permits.inUse).toBe(1);
    release();
    await Promise.all([second, third]);
    expect(order).toEqual(['second', 'third']);
    expect(permits.inUse).toBe(1);
  });

  it('counts a permit that is given back twice once', async () => {
    const permits = new Permits(2);
    const release = await permits.acquire(never);
    await permits.acquire(never);
    release();
    release();
    expect(permits.inUse).toBe(1);
  });

  it('lets a waiting one leave when its signal fires, without losing the permit', async () => {
    const permits = new Permits(1);
    const release = await permits.acquire(never);
    const controller = new AbortController();
    const impatient = permits.acquire(controller.signal);
    controller.abort(new Error('enough'));
    await expect(impatient).rejects.toThrow('enough');
    release();
    expect(permits.inUse).toBe(0);
    await expect(permits.acquire(controller.signal)).rejects.toThrow('enough');
  });
});
