import { readFile } from 'node:fs/promises';

import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { createVideoDecoder } from '../../src/platform/media/create-video-decoder.js';
import { loadCnsWeights } from '../../src/runners/embedded/cns/load-weights.js';
import { createServoPipeline } from '../support/servo-pipeline.js';
import { loadGoldenCase } from '../support/golden-case.js';
import { REFERENCE_DETECTORS } from '../support/golden-reference.js';
import { silentLogger } from '../support/silent-logger.js';
import { magnitude, median, relativeDifference } from '../support/velocity-difference.js';

const CASES = ['dev-a-translate-xy', 'dev-b-roll', 'dev-c-mixed6dof'] as const;
/** The network amplifies small differences of what is visible through its recurrent state: two references differ alike. */
const LEAST_COSINE = 0.9;
const RELATIVE_LIMIT = 0.4;
/** Frames slower than this share of the first one are at rest: ratios there compare noise. */
const MOVING_SHARE = 0.05;

const velocities = z.array(z.array(z.number()).length(6));
const referenceSchema = z.object({
  ideal: z.object({ ibvs_grid: velocities }),
  detectors: z.record(z.enum(REFERENCE_DETECTORS), z.object({ robust: z.object({ cns: velocities }) })),
});

/** The published weights are no part of this project: without the setting these cases are skipped. */
const weightsPath = process.env.CNS_WEIGHTS ?? '';

describe.skipIf(weightsPath === '').each(CASES)('golden case %s with the policy cns', (name) => {
  it.each(REFERENCE_DETECTORS)('and %s leads where PyTorch leads', async (detector) => {
    const golden = await loadGoldenCase(name);
    const file = new URL(`../fixtures/golden/${name}/reference.json`, import.meta.url);
    const reference = referenceSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    const expected = reference.detectors[detector].robust.cns;
    const restingSpeed = MOVING_SHARE * magnitude(reference.ideal.ibvs_grid[0]);
    const goal = await firstFrame(golden.goalVideoPath, golden.goalFrame);
    const pipeline = await createServoPipeline(
      { detector, intrinsics: golden.intrinsics, distance: golden.distance, policy: 'cns' },
      goal,
      { loadWeights: () => loadCnsWeights(weightsPath) },
    );
    const cosines: number[] = [];
    const differences: number[] = [];
    for await (const frame of frames(golden.currentVideoPath, 0, golden.currentFrameCount - 1)) {
      const { velocity } = pipeline.step(frame);
      if (magnitude(reference.ideal.ibvs_grid[frame.index]) <= restingSpeed) continue;
      cosines.push(cosine(velocity, expected[frame.index]));
      differences.push(relativeDifference(velocity, expected[frame.index]));
    }
    pipeline.dispose();
    expect(median(cosines)).toBeGreaterThanOrEqual(LEAST_COSINE);
    expect(median(differences)).toBeLessThanOrEqual(RELATIVE_LIMIT);
  });
});

function frames(path: string, start: number, end: number) {
  const decoder = createVideoDecoder({ logger: silentLogger });
  return decoder.frames(path, { start, end, step: 1 }, { signal: AbortSignal.timeout(300_000) });
}

async function firstFrame(path: string, index: number) {
  for await (const frame of frames(path, index, index)) return { ...frame, gray: Uint8Array.from(frame.gray) };
  throw new Error(`${path} has no frame ${index}`);
}

function cosine(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0) / (magnitude(a) * magnitude(b));
}
