import { describe, expect, it } from 'vitest';

import { RunnerError } from '../runner.errors.js';
import { RUNNER_ERROR_CODES, runnerErrorCode, toRunnerError } from './error-codec.js';
import { engineMessageSchema } from './protocol.js';

describe('error codec', () => {
  it.each(RUNNER_ERROR_CODES)('brings %s back as the class it was', (code) => {
    const error = toRunnerError(code, 'why');
    expect(error).toBeInstanceOf(RunnerError);
    expect(error).toMatchObject({ code, message: 'why' });
    expect(runnerErrorCode(error)).toBe(code);
  });
});

describe('engine messages', () => {
  const done = (velocity: number[][]) => ({
    type: 'done',
    runId: 1,
    rssBytes: 1,
    result: {
      velocity,
      frames: [],
      goal: { frame: 0, keypoints: 10 },
      device: 'cpu',
      model: null,
      usage: { wallSeconds: 0, cpuSeconds: 0, gpuSeconds: 0, energy: null, reportedCarbonGrams: null },
      message: '',
      warnings: [],
    },
  });

  it('accepts six finite numbers per row and nothing else', () => {
    const isAccepted = (row: number[]) => engineMessageSchema.safeParse(done([row])).success;
    expect(isAccepted([0, 0, 0, 0, 0, 0])).toBe(true);
    expect(isAccepted([0, 0, 0, 0, 0])).toBe(false);
    expect(isAccepted([0, 0, 0, 0, 0, NaN])).toBe(false);
    expect(isAccepted([0, 0, 0, 0, 0, Infinity])).toBe(false);
  });

  it('refuses unknown kinds and codes', () => {
    expect(engineMessageSchema.safeParse({ type: 'shutdown' }).success).toBe(false);
    const failed = { type: 'failed', runId: 1, code: 'boom', message: '', rssBytes: 1 };
    expect(engineMessageSchema.safeParse(failed).success).toBe(false);
  });
});
