import { describe, expect, it } from 'vitest';
import {
  RunnerBusyError,
  RunnerCheckpointError,
  RunnerCrashedError,
  RunnerInputError,
  RunnerStorageError,
  RunnerTimeoutError,
} from '../../runners/runner.errors.js';
import { pauseAskedBy, verdictOf } from './runner-outcome.domain.js';

describe('what the end of a run tells about its runner', () => {
  it.each([
    [new RunnerCrashedError('dead'), 'failed'],
    [new RunnerTimeoutError('late'), 'failed'],
    [new RunnerInputError('no keypoints'), 'well'],
    [new RunnerBusyError('full'), 'nothing'],
    [new RunnerStorageError('our disk'), 'nothing'],
    [new RunnerCheckpointError('our checkpoint'), 'nothing'],
    [new Error('our own'), 'nothing'],
  ])('%s: %s', (error, verdict) => {
    expect(verdictOf(error)).toBe(verdict);
  });
});

describe('the pause that a runner asks for', () => {
  const busy = (retryAfterSeconds?: number) => new RunnerBusyError('full', { retryAfterSeconds });

  it('is as long as it says, an hour at most', () => {
    expect(pauseAskedBy(busy(7), 1)).toBe(7);
    expect(pauseAskedBy(busy(1e9), 1)).toBe(3600);
    expect(pauseAskedBy(new RunnerCrashedError('dead', { retryAfterSeconds: 5 }), 1)).toBe(5);
  });

  it('is none where nothing was said, but for a full one, which is left alone longer each time', () => {
    expect(pauseAskedBy(new RunnerCrashedError('dead'), 3)).toBeNull();
    expect(pauseAskedBy(new Error('our own'), 3)).toBeNull();
    expect(pauseAskedBy(busy(), 1)).toBe(2);
    expect(pauseAskedBy(busy(), 1000)).toBe(60);
  });

  it('grows for one that is full for ever and wants to be asked at once', () => {
    expect(pauseAskedBy(busy(0), 1)).toBeLessThan(1);
    expect(pauseAskedBy(busy(0), 50)).toBeGreaterThanOrEqual(5);
    expect(pauseAskedBy(busy(1), 10_000)).toBe(10);
  });
});
