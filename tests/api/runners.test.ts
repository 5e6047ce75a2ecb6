import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunnerCancelledError } from '../../src/runners/runner.errors.js';
import type { ApiClient } from '../support/api-client.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildJob, buildUser, buildVideo, type TestUser } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { until } from '../support/wait.js';

interface Shown {
  id: string;
  name: string;
  url: string | null;
  has_token: boolean;
  slots: number;
  slots_from: string;
  in_flight: number;
  origin: string;
  enabled: boolean;
  disabled_by: string | null;
  draining: boolean;
  health: { state: string; detail: string | null; latency_ms: number | null };
  models: string[];
}

const TOKEN = 'a-token-that-nobody-may-see';

describe('administrators and runners', () => {
  const names = ['gpu-1', 'gpu-2', 'gpu-3', 'gpu-4', 'gpu-5', 'renamed', 'silent'];
  const silent = createScriptedRunner({
    behaviour: {},
    health: () => {
      throw new Error('connect ECONNREFUSED');
    },
  });
  let nameOfModel = 'cns';
  const brokenText = createScriptedRunner({
    behaviour: {},
    health: () => {
      nameOfModel = 'c\0ns';
      return { state: 'READY', detail: 'half a pair: \ud83d' };
    },
  });
  let app: App;
  let admin: TestUser;

  beforeAll(async () => {
    const known = names.map((name) => [name, createScriptedRunner({ behaviour: {}, slots: 3 })] as const);
    app = await startApp({
      parts: ['http'],
      runner: createScriptedRunner({ behaviour: {} }),
      runners: { 'of-settings': createScriptedRunner({ behaviour: {} }) },
      runnersToAdd: {
        ...Object.fromEntries(known),
        silent,
        'broken-text': { ...brokenText, describe: () => ({ ...brokenText.describe(), serves: [nameOfModel] }) },
      },
    });
    admin = await buildAdmin(app);
  });
  afterAll(() => app.stop());

  const body = (name: string, more: object = {}) => ({
    name,
    kind: 'fastapi',
    url: `http://${name}.test:8000`,
    ...more,
  });
  const add = async (name: string, more: object = {}): Promise<Shown> => {
    const answer = await admin.api.post<{ runner: Shown }>('/api/admin/runners', body(name, more));
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return answer.body.runner;
  };
  const patch = (api: ApiClient, id: string, json: object) =>
    api.request<{ runner: Shown }>('PATCH', `/api/admin/runners/${id}`, { json });
  const ofSettings = async (name = 'of-settings'): Promise<Shown> => {
    const { body } = await admin.api.get<{ runners: Shown[] }>('/api/admin/runners');
    return body.runners.find((runner) => runner.name === name) as Shown;
  };

  it('add one, see it with its abilities, and never its token', async () => {
    const runner = await add('gpu-1', { token: TOKEN, models: ['cns'] });
    expect(runner).toMatchObject({
      has_token: true,
      slots: 3,
      slots_from: 'runner',
      in_flight: 0,
      origin: 'admin',
      enabled: true,
      draining: false,
      models: ['cns'],
      health: { state: 'STARTING' },
    });
    const [{ sealed_token }] = await app.sql<{ sealed_token: string }>(
      'SELECT sealed_token FROM runners WHERE id = $1',
      [runner.id],
    );
    expect(sealed_token).not.toContain(TOKEN);
    const tested = await admin.api.post<{ message: string; runner: Shown }>(`/api/admin/runners/${runner.id}/test`);
    expect(tested.body).toMatchObject({ message: 'The runner is READY', runner: { health: { state: 'READY' } } });
    const events = await admin.api.get<{ events: { kind: string; to: string }[] }>(
      `/api/admin/runners/${runner.id}/events`,
    );
    expect(events.body.events.map(({ kind, to }) => [kind, to])).toEqual([
      ['health', 'READY'],
      ['added', 'http://gpu-1.test:8000'],
    ]);
    const all = await admin.api.get('/api/admin/runners');
    expect(JSON.stringify([tested.body, events.body, all.body])).not.toContain(TOKEN);
  });

  it('leave their deeds in the audit log, without secrets', async () => {
    const { id } = await add('gpu-2', { token: TOKEN });
    await patch(admin.api, id, { token: `${TOKEN}-2`, slots: 2 });
    await patch(admin.api, id, { enabled: false });
    await patch(admin.api, id, { enabled: false });
    await admin.api.post(`/api/admin/runners/${id}/drain`);
    await admin.api.post(`/api/admin/runners/${id}/drain`);
    await admin.api.post(`/api/admin/runners/${id}/resume`);
    await admin.api.delete(`/api/admin/runners/${id}`);
    const { body } = await admin.api.get<{ entries: { action: string }[] }>(`/api/admin/audit?target=${id}`);
    expect(body.entries.map(({ action }) => action)).toEqual([
      'runner.remove',
      'runner.resume',
      'runner.drain',
      'runner.disable',
      'runner.change',
      'runner.add',
    ]);
    expect(JSON.stringify(body)).not.toContain(TOKEN);
  });

  it.each([
    ['no URL', { url: 'gpu-9' }, 'url'],
    ['another scheme', { url: 'ftp://gpu-9' }, 'url'],
    ['a scheme of another kind', { url: 'grpc://gpu-9:9000' }, 'url'],
    ['user and password in the URL', { url: 'http://me:secret@gpu-9' }, 'url'],
    ['a query in the URL', { url: 'http://gpu-9/?a=b' }, 'url'],
    ['a blank in the URL', { url: 'http://gpu 9' }, 'url'],
    ['user and password without slashes before them', { url: 'https:me:secret@gpu-9' }, 'url'],
    ['user and password behind a single slash', { url: 'https:/me:secret@gpu-9' }, 'url'],
    ['backslashes in the URL', { url: 'http:\\\\gpu-9' }, 'url'],
    ['no host in the URL', { kind: 'kserve', url: 'grpc:///gpu-9' }, 'url'],
    ['an unknown kind', { kind: 'triton' }, 'kind'],
    ['the embedded kind', { kind: 'embedded' }, 'kind'],
    ['no slots', { slots: 0 }, 'slots'],
    ['too many slots', { slots: 257 }, 'slots'],
    ['a token that no header can carry', { token: 'a b' }, 'token'],
    ['no models', { models: [] }, 'models'],
    ['a model twice', { models: ['cns', 'cns'] }, 'models'],
    ['an empty name', { name: ' ' }, 'name'],
    ['the name of the engine', { name: 'embedded' }, 'name'],
  ])('are told what is wrong: %s', async (_, more, path) => {
    const answer = await admin.api.post('/api/admin/runners', body('gpu-9', more));
    expectProblem(answer, 'validation-failed', path);
  });

  it('are refused a name that is taken, also by two at once, and get one runner for one key', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => admin.api.post('/api/admin/runners', body('gpu-3'))));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body).toMatchObject({ code: 'name-taken' });
    const key = { 'Idempotency-Key': 'add-gpu-4' };
    const first = await admin.api.post('/api/admin/runners', body('gpu-4'), key);
    const again = await admin.api.post('/api/admin/runners', body('gpu-4'), key);
    expect(again).toMatchObject({ status: 201, body: first.body });
  });

  it('change one, which is then asked anew how it is', async () => {
    const { id } = await add('gpu-5', { slots: 1 });
    await admin.api.post(`/api/admin/runners/${id}/test`);
    const changed = await patch(admin.api, id, { name: 'renamed', slots: null, url: 'https://renamed.test' });
    expect(changed.body.runner).toMatchObject({
      name: 'renamed',
      slots: 3,
      slots_from: 'runner',
      url: 'https://renamed.test',
      health: { state: 'STARTING' },
    });
    expectProblem(await patch(admin.api, id, { url: 'grpc://renamed.test' }), 'validation-failed', 'url');
    expect((await patch(admin.api, id, { name: 'of-settings' })).body).toMatchObject({ code: 'name-taken' });
    expect((await patch(admin.api, id, {})).status).toBe(422);
  });

  it('can switch a runner of the settings off and on, but neither change nor remove it', async () => {
    const { id } = await ofSettings();
    expect((await patch(admin.api, id, { slots: 9 })).body).toMatchObject({ code: 'runner-configured' });
    expect((await admin.api.delete(`/api/admin/runners/${id}`)).body).toMatchObject({ code: 'runner-configured' });
    const off = await patch(admin.api, id, { enabled: false });
    expect(off.body.runner).toMatchObject({ enabled: false, disabled_by: 'admin', origin: 'configuration' });
    const beside = await startApp({
      parts: ['http'],
      beside: app,
      runners: { 'of-settings': createScriptedRunner({ behaviour: {} }) },
    });
    try {
      expect(await ofSettings()).toMatchObject({ enabled: false, disabled_by: 'admin' });
    } finally {
      await beside.stop();
    }
    expect((await patch(admin.api, id, { enabled: true })).body.runner).toMatchObject({ enabled: true });
  });

  it('hear within the time of a request that a runner does not answer', async () => {
    const { id } = await add('silent');
    const { body } = await admin.api.post<{ message: string; runner: Shown }>(`/api/admin/runners/${id}/test`);
    expect(body).toMatchObject({
      message: 'The runner is UNHEALTHY',
      runner: { health: { state: 'UNHEALTHY', detail: 'connect ECONNREFUSED', latency_ms: null } },
    });
    await admin.api.delete(`/api/admin/runners/${id}`);
  });

  it('see that one is not well that describes itself in what the database cannot keep', async () => {
    const { id } = await add('broken-text');
    const { status, body } = await admin.api.post<{ runner: Shown }>(`/api/admin/runners/${id}/test`);
    expect({ status, health: body.runner.health }).toMatchObject({ status: 200, health: { state: 'UNHEALTHY' } });
    await admin.api.delete(`/api/admin/runners/${id}`);
  });

  it('page through many', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const { body } = await admin.api.get<{ runners: Shown[]; nextCursor: string | null }>(
        `/api/admin/runners?limit=2${query}`,
      );
      seen.push(...body.runners.map(({ name }) => name));
      cursor = body.nextCursor;
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.slice(0, 2)).toEqual(['embedded', 'of-settings']);
  });

  it('are the only ones who see addresses; users see what can run jobs', async () => {
    const user = await buildUser(app);
    for (const path of ['/api/admin/runners', `/api/admin/runners/${(await ofSettings()).id}`]) {
      expectProblem(await user.api.get(path), 'forbidden');
    }
    const { body } = await user.api.get<{ runners: Record<string, unknown>[] }>('/api/runners');
    expect(body.runners[0]).toEqual({
      name: 'embedded',
      kind: 'embedded',
      state: 'READY',
      device: 'cpu',
      models: ['cns'],
      policies: ['ibvs'],
      detectors: ['SIFT', 'ORB', 'AKAZE', 'KAZE', 'BRISK'],
    });
    expect(JSON.stringify(body)).not.toMatch(/http|test:8000|\d{4}-\d{2}-\d{2}T/);
  });
});

describe('runners of the settings', () => {
  it('are switched off when the settings no longer name them, and on again when they do', async () => {
    const runners = { one: createScriptedRunner({ behaviour: {} }), two: createScriptedRunner({ behaviour: {} }) };
    const app = await startApp({ parts: ['http'], runners });
    try {
      const state = () =>
        app.sql<{ name: string; disabled_by: string | null }>('SELECT name, disabled_by FROM runners ORDER BY name');
      const less = await startApp({ beside: app, parts: ['worker'], runners: { one: runners.one } });
      await until(async () => (await state())[1].disabled_by === 'configuration', { what: 'the end of two' });
      await less.stop();
      const more = await startApp({ beside: app, parts: ['http'], runners });
      expect(await state()).toEqual([
        { name: 'one', disabled_by: null },
        { name: 'two', disabled_by: null },
      ]);
      await more.stop();
    } finally {
      await app.stop();
    }
  });

  it('can be removed once the settings no longer name them, but not be switched on', async () => {
    const runners = { kept: createScriptedRunner({ behaviour: {} }), gone: createScriptedRunner({ behaviour: {} }) };
    const app = await startApp({ parts: ['http'], runners });
    try {
      const admin = await buildAdmin(app);
      const [{ id }] = await app.sql<{ id: string }>(`SELECT id FROM runners WHERE name = 'gone'`);
      const switchOn = () => admin.api.request('PATCH', `/api/admin/runners/${id}`, { json: { enabled: true } });
      // Also one that an administrator had switched off before.
      await admin.api.request('PATCH', `/api/admin/runners/${id}`, { json: { enabled: false } });
      const less = await startApp({ beside: app, parts: ['worker'], runners: { kept: runners.kept } });
      const state = () => app.sql<{ disabled_by: string }>('SELECT disabled_by FROM runners WHERE id = $1', [id]);
      await until(async () => (await state())[0].disabled_by === 'configuration', { what: 'the end of it' });
      await less.stop();
      expect((await switchOn()).body).toMatchObject({ code: 'runner-configured' });
      expect((await admin.api.delete(`/api/admin/runners/${id}`)).status).toBe(200);
      expectProblem(await admin.api.get(`/api/admin/runners/${id}`), 'not-found');
    } finally {
      await app.stop();
    }
  });

  it('make up what can be asked for: what only a disabled one offers is refused', async () => {
    const learned = createScriptedRunner({ behaviour: {}, description: { policies: ['ibvs', 'cns'] } });
    const plain = createScriptedRunner({ behaviour: {}, description: { detectors: ['ORB'] } });
    const app = await startApp({ parts: ['http'], runners: { learned, plain } });
    try {
      const admin = await buildAdmin(app);
      const video = await buildVideo(app);
      const submit = (parameters: object) =>
        video.user.api.post('/api/inference', {
          datasetId: video.datasetId,
          range: 'all',
          parameters: { startFrame: 0, endFrame: 4, frameStep: 1, goalFrameId: 0, useGpus: false, ...parameters },
        });
      expect((await submit({ detector: 'SIFT', policy: 'cns' })).status).toBe(202);
      const [{ id }] = await app.sql<{ id: string }>(`SELECT id FROM runners WHERE name = 'learned'`);
      await admin.api.request('PATCH', `/api/admin/runners/${id}`, { json: { enabled: false } });
      expectProblem(await submit({ detector: 'ORB', policy: 'cns' }), 'policy-unavailable', 'parameters.policy');
      expectProblem(await submit({ detector: 'SIFT' }), 'validation-failed', 'parameters.detector');
      expect((await submit({ detector: 'ORB' })).status).toBe(202);
    } finally {
      await app.stop();
    }
  });
});

describe('the attempts of a job', () => {
  it('tell what each ran on, and how its stop is known', async () => {
    const stoppedAt = new Date(Date.now() + 3_600_000);
    const gpu = createScriptedRunner({ behaviour: { hangAfterFrames: 1 } });
    const told = {
      ...gpu,
      async run(...[input, context]: Parameters<typeof gpu.run>) {
        try {
          return await gpu.run(input, context);
        } catch (error) {
          if (!(error instanceof RunnerCancelledError)) throw error;
          throw new RunnerCancelledError(error.message, { stop: { by: 'server', stoppedAt } });
        }
      },
    };
    const app = await startApp({ runners: { gpu: told } });
    try {
      const { id, user } = await buildJob(app);
      await until(() => gpu.begun.length === 1, { what: 'the job' });
      await user.api.post(`/api/inference/${id}/cancel`);
      const end = await jobEnd(app, { id });
      // A clock of a server that is wrong does not move the job into the future.
      expect(end.status).toBe('ABORTED');
      expect(end.stopped_at?.getTime()).toBeLessThanOrEqual(Date.now() + 5_000);
      const { body } = await user.api.get<{ job: { attempts: object[] } }>(`/api/inference/${id}`);
      expect(body.job.attempts).toMatchObject([
        {
          outcome: 'ABORTED',
          runner: { name: 'gpu', kind: 'fastapi' },
          stop: { by: 'server', stopped_at: stoppedAt.toISOString() },
        },
      ]);
    } finally {
      await app.stop();
    }
  });
});
