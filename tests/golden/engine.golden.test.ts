import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { createEmbeddedRunner } from '../../src/runners/embedded/embedded.runner.js';
import type { Runner } from '../../src/runners/runner.port.js';
import { loadGoldenCase } from '../support/golden-case.js';
import { buildRunInput, runContext } from '../support/runner-jobs.js';
import { silentLogger } from '../support/silent-logger.js';
import { readZip } from '../support/zip-content.js';

const CASE = 'dev-c-mixed6dof';

const referenceSchema = z.object({
  ideal: z.object({ ibvs_grid: z.array(z.array(z.number())) }),
  detectors: z.object({ ORB: z.object({ robust: z.object({ ibvs: z.array(z.array(z.number())) }) }) }),
});

describe('embedded engine on a golden case', () => {
  let folder: string;
  let runner: Runner;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'engine-golden-'));
    runner = createEmbeddedRunner({ logger: silentLogger, processes: 1, version: '0.0.0' });
  });

  afterAll(async () => {
    await runner.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('agrees with the reference velocities and explains itself in the archive', async () => {
    const golden = await loadGoldenCase(CASE);
    const lastFrame = golden.currentFrameCount - 1;
    const input = buildRunInput(golden, folder, {
      parameters: { endFrame: lastFrame, frameStep: 1, visualize: 'sampled' },
    });
    const result = await runner.run(input, runContext());

    expect(result.velocity).toHaveLength(golden.currentFrameCount);
    const { ideal, detectors } = await loadReference();
    const start = norm(ideal.ibvs_grid[0]);
    const differences = result.velocity.flatMap((velocity, frame) => {
      if (norm(ideal.ibvs_grid[frame]) <= 0.05 * start) return [];
      const reference = detectors.ORB.robust.ibvs[frame];
      return [norm(velocity.map((value, k) => value - reference[k])) / norm(reference)];
    });
    expect(median(differences)).toBeLessThanOrEqual(0.2);
    // The video ends at the goal pose.
    expect(norm(result.velocity[lastFrame])).toBeLessThanOrEqual(5e-3);

    const archive = await readZip(input.archivePath);
    const pictures = [...archive.keys()].filter((name) => name.startsWith('images/'));
    expect(pictures).toHaveLength(golden.currentFrameCount);
    expect(pictures[12]).toBe('images/frame-000012.jpg');
    expect([...(archive.get(pictures[12])?.subarray(0, 3) ?? [])]).toEqual([0xff, 0xd8, 0xff]);
    expect(archive.get('velocity.svg')?.toString()).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(JSON.parse(archive.get('result.json')?.toString() ?? '')).toEqual({
      parameters: input.parameters,
      ...result,
      frame_errors: [],
    });
    const rows = archive.get('velocity.csv')?.toString().trimEnd().split('\n').slice(1) ?? [];
    expect(rows.map((row) => row.split(',').slice(1, 7).map(Number))).toEqual(result.velocity);
  });
});

async function loadReference() {
  const file = new URL(`../fixtures/golden/${CASE}/reference.json`, import.meta.url);
  return referenceSchema.parse(JSON.parse(await readFile(file, 'utf8')));
}

function norm(vector: readonly number[]): number {
  return Math.hypot(...vector);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
