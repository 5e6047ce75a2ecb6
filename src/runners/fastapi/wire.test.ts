import { describe, expect, it } from 'vitest';

import { analysisSchema, capabilitiesSchema } from './wire.js';

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

const MANY = 500_000;

describe('what a model server says', () => {
  it.each<[string, object]>([
    ['velocity.0.0', { velocity: [Array<string>(MANY).fill('')] }],
    ['velocity.0', { velocity: Array<string>(MANY).fill('') }],
    ['frames.0.frame', { frames: Array<object>(MANY).fill({}) }],
    ['warnings.0', { warnings: Array<number>(100).fill(1) }],
    ['warnings', { warnings: Array<number>(MANY).fill(1) }],
  ])('is refused in one sentence about %s, however much is wrong', (place, wrong) => {
    const parsed = analysisSchema.safeParse({ velocity: [], download_url: '/results/1.zip', ...wrong });
    expect(parsed.error?.issues.map(({ path }) => path.join('.'))).toEqual([place]);
  });

  it('is not of use when it can work on nothing', () => {
    const said = { version: '1', models: [], detectors: [], policies: [], devices: [], slots: 1 };
    expect(capabilitiesSchema.safeParse(said).error?.issues).toMatchObject([{ path: ['devices'] }]);
    expect(capabilitiesSchema.safeParse({ ...said, devices: ['cpu'] }).success).toBe(true);
  });
});
