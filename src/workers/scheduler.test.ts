import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../tests/support/silent-logger.js';
import { until } from '../../tests/support/wait.js';
import { Scheduler } from './scheduler.js';

describe('Scheduler', () => {
  it('runs at once and again and again, never twice at a time, also after a failure', async () => {
    let turns = 0;
    let atATime = 0;
    let most = 0;
    const scheduler = new Scheduler(
      [
        {
          name: 'work',
          everyMs: 1,
          run: async () => {
            most = Math.max(most, ++atATime);
            await new Promise((resolve) => setImmediate(resolve));
            atATime--;
            if (++turns === 2) throw new Error('this time not');
          },
        },
      ],
      silentLogger,
    );
    scheduler.start();
    await until(() => turns >= 5);
    await scheduler.stop();
    expect(most).toBe(1);
  });

  it('waits for the turn that is running, and begins none afterwards', async () => {
    let finish: () => void = () => undefined;
    let turns = 0;
    const scheduler = new Scheduler(
      [{ name: 'long', everyMs: 0, run: () => new Promise((resolve) => ((finish = resolve), turns++)) }],
      silentLogger,
    );
    scheduler.start();
    await until(() => turns === 1);
    let stopped = false;
    const stopping = scheduler.stop().then(() => (stopped = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    finish();
    await stopping;
    expect(turns).toBe(1);
  });

  it('stops before it has begun', async () => {
    let turns = 0;
    const scheduler = new Scheduler(
      [{ name: 'x', everyMs: 1, run: () => Promise.resolve().then(() => void (turns += 1)) }],
      silentLogger,
    );
    scheduler.start();
    await scheduler.stop();
    expect(turns).toBe(0);
  });
});
