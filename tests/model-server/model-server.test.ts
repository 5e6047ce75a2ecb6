import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { CHECKS } from '../../src/runners/conformance/checks/all.checks.js';
import { ConformanceSuite } from '../../src/runners/conformance/conformance.js';
import { createFastApiRunner } from '../../src/runners/fastapi/fastapi.runner.js';
import type { Runner } from '../../src/runners/runner.port.js';
import { loadGoldenCase } from '../support/golden-case.js';
import { loadGoldenReference } from '../support/golden-reference.js';
import { startOwnModelServer, type OwnModelServer } from '../support/model-servers/own-server.js';
import { buildRunInput, runContext } from '../support/runner-jobs.js';
import { silentLogger } from '../support/silent-logger.js';
import { magnitude, median, relativeDifference } from '../support/velocity-difference.js';
import { readZip } from '../support/zip-content.js';

/** A Python with the packages of `model-server/`: `node scripts/model-server.mjs --prepare` makes one. */
const python = process.env.TEST_MODEL_SERVER_PYTHON ?? '';
/** Median over the moving frames of the difference from the reference, as a share of it. */
const LIMITS = { ORB: 0.1, AKAZE: 0.03 } as const;
/** Frames slower than this share of the first one are at rest: ratios there compare noise. */
const MOVING_SHARE = 0.05;
const SLOTS = 2;

describe.skipIf(python === '')('our model server, as the platform uses it', () => {
  let server: OwnModelServer;
  let folder: string;
  const open = () => createFastApiRunner({ name: 'own', url: server.url, slots: SLOTS, logger: silentLogger });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'model-server-test-'));
    server = await startOwnModelServer(python, { MODEL_SERVER_SLOTS: String(SLOTS) });
  }, 180_000);
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  describe('keeps every promise of a runner', () => {
    let suite: ConformanceSuite;
    beforeAll(async () => {
      suite = await ConformanceSuite.open({ open, stopWithinMs: 20_000 });
    });
    afterAll(() => suite.close());

    it.each(CHECKS)(
      '$title',
      async (check) => {
        const { outcome, detail } = await suite.check(check);
        expect(outcome, detail).toBe('passed');
      },
      180_000,
    );
  });

  describe.each(['dev-a-translate-xy', 'dev-b-roll', 'dev-c-mixed6dof'])('golden case %s', (name) => {
    it.each(['ORB', 'AKAZE'] as const)(
      '%s leads where the reference leads',
      async (detector) => {
        const golden = await loadGoldenCase(name);
        const { ideal, detectors } = await loadGoldenReference(name);
        const runner: Runner = open();
        try {
          const parameters = { endFrame: golden.currentFrameCount - 1, frameStep: 3, detector };
          const input = buildRunInput(golden, folder, { parameters });
          const result = await runner.run(input, runContext());
          const reference = detectors[detector].robust!.ibvs;
          const resting = MOVING_SHARE * magnitude(ideal.ibvs_grid[0]);
          const differences = result.frames.flatMap(({ frame }, row) =>
            magnitude(ideal.ibvs_grid[frame]) <= resting
              ? []
              : [relativeDifference(result.velocity[row], reference[frame])],
          );
          expect(median(differences)).toBeLessThanOrEqual(LIMITS[detector]);
          expect([...(await readZip(input.archivePath)).keys()]).toContain('velocity.csv');
        } finally {
          await runner.close();
        }
      },
      180_000,
    );
  });
});
