import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../tests/support/silent-logger.js';
import { Lifecycle } from './lifecycle.js';

describe('Lifecycle', () => {
  it('stops stage by stage, within a stage the youngest first, one after the other', async () => {
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
    part('intake', 'http');
    part('work', 'runner');
    part('intake', 'sockets');
    await lifecycle.stop();
    expect(steps.filter((step) => step.endsWith('begins')).map((step) => step.split(' ')[0])).toEqual([
      'sockets',
      'http',
      'runner',
      'pool',
      'database',
    ]);
    expect(steps.map((step) => step.split(' ')[1])).toEqual(Array.from({ length: 5 }, () => ['begins', 'ends']).flat());
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
