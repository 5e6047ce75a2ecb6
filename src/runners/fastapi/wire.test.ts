import { describe, expect, it } from 'vitest';

import { analysisSchema } from './wire.js';

const analysis = { velocity: [[0, 0, 0, 0, 0, 0]], download_url: 'result.zip' };

describe('what a server says of its consumption', () => {
  it('is an amount that stays finite in sums over jobs and days', () => {
    for (const amount of [-1, 1e300, Number.MAX_VALUE]) {
      expect(analysisSchema.safeParse({ ...analysis, carbon_footprint: amount }).success).toBe(false);
      expect(analysisSchema.safeParse({ ...analysis, usage: { gpu_seconds: amount } }).success).toBe(false);
      const energy = { method: 'measured', cpu_wh: amount, source: 'RAPL' };
      expect(analysisSchema.safeParse({ ...analysis, energy }).success).toBe(false);
    }
    expect(analysisSchema.safeParse({ ...analysis, carbon_footprint: 0, usage: { cpu_seconds: 1e9 } }).success).toBe(
      true,
    );
  });
});
