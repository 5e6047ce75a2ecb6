import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InferenceResult } from '../../src/contract/inference.contract.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, buildVideo, TEXTURED_VIDEO } from '../support/build.js';
import { safetensorsOf, syntheticTensors, writeSyntheticWeights } from '../support/cns-weights.js';
import { jobEnd, jobRow } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';

const FRAMES = { startFrame: 0, endFrame: 4, frameStep: 2, goalFrameId: 0 };

describe('the policy cns', () => {
  let folder: string;
  let weights: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-cns-'));
    weights = await writeSyntheticWeights(folder);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  describe('with weights', () => {
    let app: App;

    beforeAll(async () => {
      app = await startApp({ runner: 'embedded', settings: { CNS_WEIGHTS: weights } });
    });

    afterAll(() => app.stop());

    const resultOf = async (parameters: Record<string, unknown>) => {
      const video = await buildVideo(app, { file: TEXTURED_VIDEO });
      const { id, user } = await buildJob(app, { video, parameters: { ...FRAMES, ...parameters } });
      expect(await jobEnd(app, { id }, 60_000)).toMatchObject({ status: 'COMPLETED', error_message: null });
      const { body } = await user.api.get<{ results: InferenceResult }>(`/api/inference/result/json/${id}`);
      const [{ policy }] = await app.sql<{ policy: string }>(
        "SELECT parameters->>'policy' AS policy FROM inference_jobs WHERE id = $1",
        [id],
      );
      return { policy, result: body.results };
    };

    it('is what decides when nothing is said, and the result names the weights', async () => {
      const { policy, result } = await resultOf({});
      expect(policy).toBe('cns');
      expect(result.model).toEqual({ name: 'CNS', digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) });
      expect(app.container.runner?.describe()).toMatchObject({
        policies: ['ibvs', 'cns'],
        models: { cns: result.model },
      });
      expect(result.velocity).toHaveLength(3);
      // These weights have learned nothing: even at the goal they see something to do.
      for (const row of result.velocity) {
        expect(row.every(Number.isFinite)).toBe(true);
        expect(Math.hypot(...row)).toBeGreaterThan(0);
      }
      expect((await resultOf({ policy: 'cns' })).result.velocity).toEqual(result.velocity);
    });

    it('leaves the other one to be asked for', async () => {
      const { policy, result } = await resultOf({ policy: 'ibvs' });
      expect(policy).toBe('ibvs');
      expect(result.model).toBeNull();
      for (const component of result.velocity[0]) expect(Math.abs(component)).toBeLessThan(1e-3);
    });
  });

  it('without weights is refused with the way to get them', async () => {
    const app = await startApp({ parts: ['http'], runner: 'embedded' });
    try {
      const video = await buildVideo(app, { file: TEXTURED_VIDEO });
      const user = video.user ?? (await buildUser(app));
      const answer = await user.api.post('/api/inference', {
        datasetId: video.datasetId,
        range: 'all',
        parameters: { ...FRAMES, detector: 'ORB', useGpus: false, policy: 'cns' },
      });
      expectProblem(answer, 'policy-unavailable', 'parameters.policy');
      expect(JSON.stringify(answer.body)).toMatch(/github\.com\/hhcaz\/CNS.*convert-cns-weights\.py.*CNS_WEIGHTS/);
    } finally {
      await app.stop();
    }
  });

  it('is left alone by a worker that has no weights, for one that has them', async () => {
    const app = await startApp({ parts: ['http'], runner: 'embedded', settings: { CNS_WEIGHTS: weights } });
    try {
      const video = await buildVideo(app, { file: TEXTURED_VIDEO });
      const { id } = await buildJob(app, { video, parameters: FRAMES });
      const without = await startApp({ beside: app, parts: ['worker', 'scheduler'], runner: 'embedded' });
      try {
        const other = await buildJob(app, { video, parameters: { ...FRAMES, policy: 'ibvs' } });
        expect(await jobEnd(app, other, 60_000)).toMatchObject({ status: 'COMPLETED' });
        expect(await jobRow(app, id)).toMatchObject({ status: 'PENDING', attempt: 0 });
        const settings = { CNS_WEIGHTS: weights };
        const withThem = await startApp({ beside: app, parts: ['worker'], runner: 'embedded', settings });
        try {
          expect(await jobEnd(app, { id }, 60_000)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
        } finally {
          await withThem.stop();
        }
      } finally {
        await without.stop();
      }
    } finally {
      await app.stop();
    }
  }, 120_000);

  it('with a file that holds something else stops the start, and the tensor is named', async () => {
    const tensors = syntheticTensors();
    tensors.delete('decoder.pool.gate_nn.weight');
    const file = path.join(folder, 'wrong.safetensors');
    await writeFile(file, safetensorsOf(tensors));
    const start = startApp({ parts: ['http'], runner: 'embedded', settings: { CNS_WEIGHTS: file } });
    await expect(start).rejects.toThrow(/^CNS_WEIGHTS: .*"decoder\.pool\.gate_nn\.weight" is missing/);
  });
});
