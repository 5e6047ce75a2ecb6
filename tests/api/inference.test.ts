import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { resultSchema, type InferenceResult } from '../../src/contract/inference.contract.js';
import type { ProblemCode } from '../../src/contract/problem.contract.js';
import { RunnerInputError } from '../../src/runners/runner.errors.js';
import { startApp, type App } from '../support/app.js';
import {
  buildDataset,
  buildJob,
  buildUser,
  buildVideo,
  fixture,
  PARAMETERS,
  SMALL_VIDEO_FRAMES,
  TEXTURED_VIDEO,
  type TestUser,
} from '../support/build.js';
import { bookingsOf, jobEnd, statusesOf } from '../support/jobs.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { until } from '../support/wait.js';
import { readZip } from '../support/zip-content.js';

const FRAMES_PER_CREDIT = 5;

describe('submitting', () => {
  let app: App;
  let user: TestUser;
  let datasetId: string;
  let videos: string[];

  beforeAll(async () => {
    app = await startApp({
      parts: ['http'],
      settings: { UPLOAD_FRAMES_PER_CREDIT: '0', INFERENCE_FRAMES_PER_CREDIT: String(FRAMES_PER_CREDIT) },
    });
    ({ id: datasetId, user } = await buildDataset(app));
    videos = [];
    for (const file of ['h264.mp4', 'vp8.webm', 'mpeg4.avi']) {
      videos.push((await buildVideo(app, { user, datasetId, file: fixture(`media/${file}`) })).id);
    }
  });
  afterAll(() => app.stop());
  beforeEach(async () => {
    await expectLedgersToBalance(app);
  });

  const submit = (body: Record<string, unknown> = {}, parameters: Record<string, unknown> = {}) =>
    user.api.post<{ jobId: string[] }>('/api/inference', {
      datasetId,
      range: 'all',
      ...body,
      parameters: { ...PARAMETERS, ...parameters },
    });

  const pairsOf = async (ids: string[]): Promise<number[][]> => {
    const rows = await app.sql<{ goal_video_id: string; current_video_id: string }>(
      'SELECT goal_video_id, current_video_id FROM inference_jobs WHERE id = ANY ($1) ORDER BY array_position($1, id)',
      [ids],
    );
    return rows.map((row) => [videos.indexOf(row.goal_video_id), videos.indexOf(row.current_video_id)]);
  };

  it.each([
    [
      'all',
      [
        [0, 1],
        [1, 2],
      ],
    ],
    [
      '0-2',
      [
        [0, 1],
        [1, 2],
      ],
    ],
    ['1-2', [[1, 2]]],
    ['0-1', [[0, 1]]],
    ['2-2', [[2, 2]]],
    ['00-01', [[0, 1]]],
  ])('pairs the videos of range %s with their neighbours', async (range, pairs) => {
    const { status, body, headers } = await submit({ range });
    expect(status).toBe(202);
    expect(await pairsOf(body.jobId)).toEqual(pairs);
    expect(headers.get('location')).toBe(`/api/inference/status/${body.jobId[0]}`);
    expect(Object.keys(body)).toEqual(['jobId']);
  });

  it('keeps what was asked for, fills in the rest, and holds the price', async () => {
    const before = await user.api.credits();
    const given = { startFrame: 1, endFrame: 11, frameStep: 2, detector: 'AKAZE', distance: 0.5 };
    const { body } = await submit({ range: '0-1', priority: 9 }, given);
    const [row] = await app.sql<{ parameters: object; priority: number; cost: number }>(
      'SELECT parameters, priority, cost FROM inference_jobs WHERE id = $1',
      [body.jobId[0]],
    );
    // Frames 1, 3, 5, 7, 9 and 11.
    expect(row).toMatchObject({ priority: 9, cost: 2 });
    expect(row.parameters).toEqual({
      ...PARAMETERS,
      ...given,
      policy: 'ibvs',
      intrinsics: { fx: 540, fy: 540, cx: 320, cy: 240 },
    });
    expect(await user.api.credits()).toBe(before - 2);
    expect(await bookingsOf(app, body.jobId[0])).toEqual(['inference-hold -2']);
    expect(await statusesOf(app, body.jobId[0])).toEqual(['PENDING']);
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>, ProblemCode, string?]>([
    ['no dataset', { datasetId: undefined }, {}, 'validation-failed', 'datasetId'],
    ['an unknown dataset', { datasetId: randomUUID() }, {}, 'not-found'],
    ['an id that is none', { datasetId: 'x' }, {}, 'validation-failed', 'datasetId'],
    ['an empty range', { range: '' }, {}, 'validation-failed', 'range'],
    ['a range that is a word', { range: 'some' }, {}, 'validation-failed', 'range'],
    ['a single position', { range: '1' }, {}, 'validation-failed', 'range'],
    ['a negative position', { range: '-1-2' }, {}, 'validation-failed', 'range'],
    ['a backward range', { range: '2-1' }, {}, 'validation-failed', 'range'],
    ['a range beyond the last video', { range: '1-3' }, {}, 'validation-failed', 'range'],
    ['an absurd range', { range: '0-999999999' }, {}, 'validation-failed', 'range'],
    ['a number that JavaScript cannot hold', { range: '0-99999999999999999999' }, {}, 'validation-failed', 'range'],
    ['a priority of 0', { priority: 0 }, {}, 'validation-failed', 'priority'],
    ['a priority of 11', { priority: 11 }, {}, 'validation-failed', 'priority'],
    ['an unknown field', { cost: 0 }, {}, 'validation-failed', 'cost'],
    ['an unknown parameter', {}, { frames: 1 }, 'validation-failed', 'parameters.frames'],
    ['an unknown detector', {}, { detector: 'SURF' }, 'validation-failed', 'parameters.detector'],
    ['a detector in lower case', {}, { detector: 'orb' }, 'validation-failed', 'parameters.detector'],
    ['a detector twice', {}, { detector: 'ORB+ORB' }, 'validation-failed', 'parameters.detector'],
    ['a quarter turn beyond three', {}, { detector: 'AKAZE:04' }, 'validation-failed', 'parameters.detector'],
    ['no detector', {}, { detector: undefined }, 'validation-failed', 'parameters.detector'],
    ['text for useGpus', {}, { useGpus: 'false' }, 'validation-failed', 'parameters.useGpus'],
    ['a negative start', {}, { startFrame: -1 }, 'validation-failed', 'parameters.startFrame'],
    ['half a frame', {}, { startFrame: 0.5 }, 'validation-failed', 'parameters.startFrame'],
    ['a start after the end', {}, { startFrame: 5 }, 'validation-failed', 'parameters.endFrame'],
    ['an end beyond the last frame', {}, { endFrame: 12 }, 'validation-failed', 'parameters.endFrame'],
    [
      'a goal beyond the last frame',
      {},
      { goalFrameId: SMALL_VIDEO_FRAMES },
      'validation-failed',
      'parameters.goalFrameId',
    ],
    ['a step of 0', {}, { frameStep: 0 }, 'validation-failed', 'parameters.frameStep'],
    ['a negative step', {}, { frameStep: -1 }, 'validation-failed', 'parameters.frameStep'],
    ['a distance of 0', {}, { distance: 0 }, 'validation-failed', 'parameters.distance'],
    [
      'a flat camera',
      {},
      { intrinsics: { fx: 0, fy: 1, cx: 0, cy: 0 } },
      'validation-failed',
      'parameters.intrinsics.fx',
    ],
    ['half a camera', {}, { intrinsics: { fx: 1, fy: 1 } }, 'validation-failed', 'parameters.intrinsics.cx'],
    ['a policy nobody offers', {}, { policy: 'cns' }, 'policy-unavailable', 'parameters.policy'],
    ['a policy there is not', {}, { policy: 'pid' }, 'validation-failed', 'parameters.policy'],
  ])('refuses %s and charges nothing', async (_name, body, parameters, code, field) => {
    const before = await user.api.credits();
    const [{ count }] = await app.sql<{ count: string }>('SELECT count(*) FROM inference_jobs');
    expectProblem(await submit(body, parameters), code, field);
    expect(await user.api.credits()).toBe(before);
    expect(await app.sql('SELECT count(*) FROM inference_jobs')).toEqual([{ count }]);
  });

  it('checks the frames of every pair: the shortest current video decides', async () => {
    // 25, 12 and 15 frames: frame 13 is there in the third video, but not in the second.
    expectProblem(await submit({ range: 'all' }, { endFrame: 13 }), 'validation-failed', 'parameters.endFrame');
    expect((await submit({ range: '1-2' }, { endFrame: 13 })).status).toBe(202);
    expectProblem(await submit({ range: '1-2' }, { goalFrameId: 12 }), 'validation-failed', 'parameters.goalFrameId');
  });

  it('refuses an empty dataset', async () => {
    const { id } = await buildDataset(app, { user });
    expectProblem(await submit({ datasetId: id }), 'empty-dataset');
    expectProblem(await submit({ datasetId: id, range: '0-0' }), 'empty-dataset');
  });

  it('creates all jobs of a request or none when credits do not suffice', async () => {
    const poor = await buildUser(app, { credits: 3 });
    const { id } = await buildDataset(app, { user: poor });
    for (let video = 0; video < 3; video++) await buildVideo(app, { user: poor, datasetId: id });
    const body = { datasetId: id, range: 'all', parameters: { ...PARAMETERS, endFrame: 9 } };
    const refused = await poor.api.post('/api/inference', body);
    expectProblem(refused, 'insufficient-credits');
    expect(await poor.api.credits()).toBe(3);
    const left = await app.sql('SELECT 1 FROM inference_jobs WHERE user_id = $1', [poor.id]);
    const events = await app.sql('SELECT 1 FROM events WHERE user_id = $1', [poor.id]);
    expect([left, events]).toEqual([[], []]);
    const one = await poor.api.post('/api/inference', { ...body, range: '0-1' });
    expect([one.status, await poor.api.credits()]).toEqual([202, 1]);
  });

  it('says what the whole request would cost when it cannot be paid', async () => {
    const poor = await buildUser(app, { credits: 1 });
    const { id } = await buildDataset(app, { user: poor });
    for (let video = 0; video < 3; video++) await buildVideo(app, { user: poor, datasetId: id });
    const body = { datasetId: id, range: 'all', parameters: { ...PARAMETERS, endFrame: 4 } };
    const refused = await poor.api.post('/api/inference', body);
    expectProblem(refused, 'insufficient-credits');
    expect(refused.body).toMatchObject({ required: 2, balance: 1 });
  });
});

describe('results', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({
      runner: createScriptedRunner({
        behaviour: ({ parameters }) => {
          if (parameters.startFrame === 1) return { hangAfterFrames: 1 };
          if (parameters.startFrame === 2) {
            return { failure: { afterFrames: 1, error: new RunnerInputError('The goal frame is blank.') } };
          }
          return {};
        },
      }),
      settings: { INFERENCE_FRAMES_PER_CREDIT: '5', SHUTDOWN_TIMEOUT: '1s' },
    });
  });
  afterAll(() => app.stop());

  const status = (api: TestUser['api'], id: string) => api.get<Record<string, unknown>>(`/api/inference/status/${id}`);

  it('shows status, result and archive of a completed job', async () => {
    const { id, user } = await buildJob(app);
    await jobEnd(app, { id });
    const { body } = await status(user.api, id);
    expect(body).toMatchObject({
      status: 'COMPLETED',
      attempt: 1,
      progress: { processed: 5, total: 5 },
      errorMessage: null,
      created_at: expect.stringMatching(/Z$/),
      started_at: expect.stringMatching(/Z$/),
      finished_at: expect.stringMatching(/Z$/),
    });
    const result = await user.api.get<{ results: InferenceResult }>(`/api/inference/result/json/${id}`);
    expect(resultSchema.strict().parse(result.body.results)).toEqual(result.body.results);
    expect(Object.keys(result.body.results).slice(0, 5)).toEqual([
      'requestId',
      'velocity',
      'carbon_footprint',
      'download_url',
      'message',
    ]);
    expect(result.body.results).toMatchObject({ requestId: id, device: 'cpu', carbon_method: 'estimated' });
    expect(result.body.results.velocity).toHaveLength(5);
    const archive = await download(app, result.body.results.download_url, user.token);
    expect([...archive.keys()].sort()).toEqual(['result.json', 'velocity.csv']);
    expect(await bookingsOf(app, id)).toEqual(['inference-hold -1', 'inference-capture 0']);
    await expectLedgersToBalance(app);
  });

  it('answers HEAD of an archive with its size and leaves nothing open', async () => {
    const { id, user } = await buildJob(app);
    await jobEnd(app, { id });
    const head = await user.api.request('HEAD', `/api/inference/result/zip/${id}`);
    expect(head.status).toBe(200);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(0);
    expect(head.headers.get('content-type')).toBe('application/zip');
    expect(head.headers.get('content-disposition')).toContain(`infernode-${id}.zip`);
  });

  it('has no result of a job that still runs', async () => {
    const { id, user } = await buildJob(app, { parameters: { startFrame: 1 } });
    await until(async () => (await status(user.api, id)).body['status'] === 'RUNNING');
    for (const kind of ['json', 'zip']) {
      const answer = await user.api.get(`/api/inference/result/${kind}/${id}`);
      expectProblem(answer, 'result-not-ready');
      expect(answer.body).toMatchObject({ retryable: true });
    }
  });

  it('tells why a failed job has no result, and gives the credits back', async () => {
    const { id, user } = await buildJob(app, { parameters: { startFrame: 2 } });
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'FAILED', attempt: 1, error_code: 'runner-input' });
    expect((await status(user.api, id)).body).toMatchObject({
      status: 'FAILED',
      errorMessage: 'The goal frame is blank.',
    });
    for (const kind of ['json', 'zip']) {
      const answer = await user.api.get(`/api/inference/result/${kind}/${id}`);
      expectProblem(answer, 'job-without-result');
      expect(answer.body.detail).toContain('The goal frame is blank.');
    }
    expect(await bookingsOf(app, id)).toEqual(['inference-hold -1', 'inference-release 1']);
    await expectLedgersToBalance(app);
  });

  it('shows a job to nobody but its owner, in whatever state', async () => {
    const stranger = (await buildUser(app)).api;
    const { id } = await buildJob(app);
    for (const state of ['new', 'ended']) {
      if (state === 'ended') await jobEnd(app, { id });
      for (const kind of ['status', 'result/json', 'result/zip']) {
        expectProblem(await stranger.get(`/api/inference/${kind}/${id}`), 'not-found');
      }
    }
  });

  it('keeps the results of a dataset that is deleted', async () => {
    const { id, user, datasetId } = await buildJob(app);
    await jobEnd(app, { id });
    await user.api.delete(`/api/dataset/${datasetId}`);
    expect((await user.api.get(`/api/inference/result/json/${id}`)).status).toBe(200);
    expect((await user.api.get(`/api/inference/result/zip/${id}`)).status).toBe(200);
  });

  it('says so when an archive has vanished from the disk', async () => {
    const { id, user } = await buildJob(app);
    await jobEnd(app, { id });
    await rm(path.join(app.config.dataDir, 'objects', 'results', id), { recursive: true });
    const answer = await user.api.get(`/api/inference/result/zip/${id}`);
    expectProblem(answer, 'internal-error');
    expect(JSON.stringify(answer.body)).not.toContain(app.config.dataDir);
  });
});

describe('the real engine behind the API', () => {
  it('computes velocities and leaves no process behind', async () => {
    const app = await startApp({ runner: 'embedded' });
    try {
      const video = await buildVideo(app, { file: TEXTURED_VIDEO });
      const parameters = { startFrame: 0, endFrame: 4, frameStep: 2, goalFrameId: 0, useGpus: true };
      const { id, user } = await buildJob(app, { video, parameters });
      expect(await jobEnd(app, { id }, 60_000)).toMatchObject({ status: 'COMPLETED', error_message: null });
      const { body } = await user.api.get<{ results: InferenceResult }>(`/api/inference/result/json/${id}`);
      const { velocity, frames, usage, carbon_footprint: carbon, energy_wh: energy, warnings } = body.results;
      expect(frames.map(({ frame }) => frame)).toEqual([0, 2, 4]);
      // The goal is the first frame itself: there is nothing to move for.
      for (const component of velocity[0]) expect(Math.abs(component)).toBeLessThan(1e-3);
      expect(usage.cpuSeconds).toBeGreaterThan(0);
      expect(energy).toBeGreaterThan(0);
      expect(carbon).toBeCloseTo((energy / 1000) * 481, 9);
      expect(warnings.join(' ')).toMatch(/GPU/);
      expect(await statusesOf(app, id)).toEqual(['PENDING', 'RUNNING', 'COMPLETED']);
    } finally {
      await app.stop();
    }
  });
});

async function download(app: App, url: string, token: string): Promise<Map<string, Buffer>> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-download-'));
  try {
    const file = path.join(folder, 'result.zip');
    const response = await fetch(`${app.baseUrl}${url}`, { headers: { Authorization: `Bearer ${token}` } });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/zip']);
    await pipeline(Readable.from(response.body!), createWriteStream(file));
    return await readZip(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
