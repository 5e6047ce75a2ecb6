import { describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../tests/support/silent-logger.js';
import { Lifecycle } from './lifecycle.js';

describe('Lifecycle', () => {
  it('stops all that takes in work together, then stage by stage the youngest first, one after the other', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    const steps: string[] = [];
    const part = (stage: Parameters<Lifecycle['register']>[0], name: string) =>
      lifecycle.register(stage, name, async () => {
        steps.push(`${name} begins`);
        await Promise.resolve();
        steps.push(`${name} ends`);
      });
    part('foundation', 'database');
    part('connections', 'pool');
    part('connections', 'queue');
    part('intake', 'http');
    part('work', 'runner');
    part('intake', 'worker');
    await lifecycle.stop();
    const oneByOne = ['runner', 'queue', 'pool', 'database'].flatMap((name) => [`${name} begins`, `${name} ends`]);
    expect(steps).toEqual(['worker begins', 'http begins', 'worker ends', 'http ends', ...oneByOne]);
  });

  it('lets no worker take jobs while another part takes its time', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    let finish: () => void = () => undefined;
    let workerStopped = false;
    lifecycle.register('intake', 'worker', () => Promise.resolve(void (workerStopped = true)));
    lifecycle.register('intake', 'http', () => new Promise((resolve) => (finish = resolve)));
    const stopping = lifecycle.stop();
    expect(workerStopped).toBe(true);
    finish();
    await stopping;
  });

  it('leaves a part behind that does not end, so that the others have their time', async () => {
    vi.useFakeTimers();
    try {
      const lifecycle = new Lifecycle(silentLogger, 30_000);
      const stopped: string[] = [];
      lifecycle.register('connections', 'pool', () => Promise.resolve(void stopped.push('pool')));
      lifecycle.register('connections', 'queue', () => new Promise(() => undefined));
      const failed = expect(lifecycle.stop()).rejects.toMatchObject({
        errors: [new Error('queue did not stop within 5000 ms')],
      });
      await vi.advanceTimersByTimeAsync(5_000);
      await failed;
      expect(stopped).toEqual(['pool']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('tells the beginning, and stops once however often it is asked', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    let stops = 0;
    lifecycle.register('work', 'part', () => {
      stops++;
      expect(lifecycle.signal.aborted).toBe(true);
      return Promise.resolve();
    });
    expect(lifecycle.signal.aborted).toBe(false);
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    await lifecycle.stop();
    expect(stops).toBe(1);
  });

  it('stops the rest when a part fails, then says what has failed', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    const stopped: string[] = [];
    lifecycle.register('foundation', 'last', () => Promise.resolve(void stopped.push('last')));
    lifecycle.register('intake', 'first', () => Promise.reject(new Error('stuck')));
    await expect(lifecycle.stop()).rejects.toMatchObject({ errors: [new Error('stuck')] });
    expect(stopped).toEqual(['last']);
  });
});
