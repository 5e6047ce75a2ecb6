import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runParametersDocument } from '../../src/contract/model.contract.js';
import { CNS_MODEL_ID } from '../../src/modules/model/model.domain.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildUser, buildVideo, PARAMETERS, type TestUser, type TestVideo } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

interface ModelBody {
  id: string;
  name: string;
  version: string;
  description: string;
  status: string;
  digest: string | null;
  created_at: string;
  updated_at: string;
  runners: object;
  resources: object;
  parameter_schema: object;
  parameters: { properties: Record<string, object>; required: string[]; additionalProperties: boolean };
}

const GAIN = { type: 'number', exclusiveMinimum: 0, maximum: 10, default: 1, description: 'Factor.' };
const DRIFT = { type: 'object', properties: { gain: GAIN, mode: { enum: ['mean', 'median'], type: 'string' } } };

/** Names of models, each for one test; the runner says from the start that it runs them all. */
const NAMES = Array.from({ length: 100 }, (_, number) => `drift-${number}`);
const unused = [...NAMES];
const newName = (): string => {
  const name = unused.shift();
  if (name === undefined) throw new Error('More names are needed');
  return name;
};

describe('models', () => {
  const runner = createScriptedRunner({
    behaviour: ({ model }) => ({
      velocity: (frame) => [Number(model.parameters['gain'] ?? 1) * frame, 0, 0, 0, 0, 0],
    }),
    description: { serves: ['cns', ...NAMES] },
  });
  let app: App;
  let admin: TestUser;
  let user: TestUser;
  let video: TestVideo;
  beforeAll(async () => {
    app = await startApp({ runner });
    admin = await buildAdmin(app);
    user = await buildUser(app);
    video = await buildVideo(app, { user });
  });
  afterAll(() => app.stop());

  async function add(fields: { name?: string; [field: string]: unknown } = {}): Promise<ModelBody> {
    const name = fields.name ?? newName();
    const { status, body } = await admin.api.post<{ model: ModelBody }>('/api/admin/models', {
      version: '1',
      parameter_schema: DRIFT,
      ...fields,
      name,
    });
    expect(status, JSON.stringify(body)).toBe(201);
    return body.model;
  }

  const submit = (model: string | undefined, parameters: Record<string, unknown> = {}, headers = {}) =>
    user.api.post<{ jobId: string[] }>(
      '/api/inference',
      {
        datasetId: video.datasetId,
        range: 'all',
        ...(model === undefined ? {} : { model }),
        parameters: { ...PARAMETERS, ...parameters },
      },
      headers,
    );

  const patch = (id: string, json: object) => admin.api.request('PATCH', `/api/admin/models/${id}`, { json });

  describe('for users', () => {
    it('begin with cns, whose parameters are those of the contract', async () => {
      const { status, body } = await user.api.get<{ model: ModelBody; versions: string[] }>('/api/models/cns');
      expect(status).toBe(200);
      expect(body.model).toMatchObject({ name: 'cns', version: '1', modality: 'video-pair', digest: null });
      expect(body.model.parameters).toEqual(runParametersDocument());
      expect(Object.keys(body.model.parameters.properties)).toEqual(
        Object.keys((runParametersDocument() as unknown as ModelBody['parameters']).properties),
      );
      expect(body.versions).toEqual(['1']);
      expect(JSON.stringify(body)).not.toContain('runners');
      const [row] = await app.sql<{ parameter_schema: object }>('SELECT parameter_schema FROM models WHERE id = $1', [
        CNS_MODEL_ID,
      ]);
      expect(row.parameter_schema).toEqual(runParametersDocument());
    });

    it('show what a model adds, in the order of its schema', async () => {
      const { name } = await add({ description: ' Follows the drift. ' });
      const { body } = await user.api.get<{ model: ModelBody }>(`/api/models/${name}`);
      expect(body.model).toMatchObject({ name, description: 'Follows the drift.', resources: { gpu: 'preferred' } });
      expect(Object.keys(body.model.parameters.properties).slice(-2)).toEqual(['gain', 'mode']);
      expect(body.model.parameters.properties['gain']).toEqual(GAIN);
      expect(body.model.parameters.additionalProperties).toBe(false);
    });

    it('are listed by name, of each the newest active version, page by page', async () => {
      const name = newName();
      await add({ name, version: '1.0' });
      const second = await add({ name, version: '1.1' });
      await add({ name, version: '2.0', status: 'disabled' });
      const listed: ModelBody[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const { body }: { body: { models: ModelBody[]; nextCursor: string | null } } = await user.api.get(
          `/api/models?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`,
        );
        listed.push(...body.models);
        cursor = body.nextCursor;
      }
      expect(listed.map((model) => model.name)).toEqual([...new Set(listed.map((model) => model.name))].sort());
      expect(listed.find((model) => model.name === name)).toMatchObject({ version: '1.1' });
      const { body } = await user.api.get(`/api/models/${name}`);
      expect(body).toMatchObject({ model: { version: '1.1' }, versions: ['1.1', '1.0'] });
      expect((await user.api.get(`/api/models/${name}@1.0`)).body).toMatchObject({ model: { version: '1.0' } });
      await patch(second.id, { status: 'disabled' });
      expect((await user.api.get(`/api/models/${name}`)).body).toMatchObject({ model: { version: '1.0' } });
      expectProblem(await user.api.get(`/api/models/${name}@1.1`), 'not-found');
    });

    it.each(['nothing-like-it', 'cns@9', 'Not a name', 'cns@', '@1', 'a'.repeat(98), 'cns%00'])(
      'do not have %s',
      async (name) => {
        expectProblem(await user.api.get(`/api/models/${encodeURIComponent(name)}`), 'not-found');
      },
    );

    it('refuse a cursor that no list has given', async () => {
      expectProblem(await user.api.get('/api/models?cursor=eCd5'), 'validation-failed', 'cursor');
    });
  });

  describe('in jobs', () => {
    it('get their own parameters, defaults filled, and give a result', async () => {
      const { id, name } = await add();
      const job = { id: (await submit(name, { gain: 2.5, distance: 3 })).body.jobId[0] };
      expect(await jobEnd(app, job)).toMatchObject({ status: 'COMPLETED' });
      const input = runner.begun.find(({ jobId }) => jobId === job.id);
      expect(input?.model).toEqual({ name, version: '1', parameters: { gain: 2.5 } });
      expect(input?.parameters).toMatchObject({ distance: 3, detector: 'ORB' });
      expect(input?.parameters).not.toHaveProperty('gain');
      const { body } = await user.api.get<{ results: { velocity: number[][] } }>(
        `/api/inference/result/json/${job.id}`,
      );
      expect(body.results.velocity.map(([vx]) => vx)).toEqual([0, 2.5, 5, 7.5, 10]);
      const view = await user.api.get<{ job: { parameters: Record<string, unknown> } }>(`/api/inference/${job.id}`);
      expect(view.body.job).toMatchObject({ model: { name, version: '1' }, parameters: { gain: 2.5, startFrame: 0 } });
      expect(Object.keys(view.body.job.parameters).at(-1)).toBe('gain');
      const [row] = await app.sql(
        'SELECT model_id, model_name, model_version, model_parameters FROM inference_jobs WHERE id = $1',
        [job.id],
      );
      expect(row).toEqual({ model_id: id, model_name: name, model_version: '1', model_parameters: { gain: 2.5 } });
      const unsaid = { id: (await submit(`${name}@1`)).body.jobId[0] };
      await jobEnd(app, unsaid);
      expect(runner.begun.find(({ jobId }) => jobId === unsaid.id)?.model.parameters).toEqual({ gain: 1 });
    });

    it('are cns when nobody names one, and take nothing beyond the contract then', async () => {
      for (const model of [undefined, 'cns', 'cns@1']) {
        const { status, body } = await submit(model);
        expect(status).toBe(202);
        expect(await jobEnd(app, { id: body.jobId[0] })).toMatchObject({ status: 'COMPLETED' });
        expect(runner.begun.find(({ jobId }) => jobId === body.jobId[0])?.model).toEqual({
          name: 'cns',
          version: '1',
          parameters: {},
        });
        const refused = await submit(model, { gain: 1, gian: 2 });
        expectProblem(refused, 'validation-failed', 'parameters.gain');
        expect(refused.body).toMatchObject({
          errors: [
            { path: 'parameters.gain', message: 'There is no such field.' },
            { path: 'parameters.gian', message: 'There is no such field.' },
          ],
        });
      }
    });

    it.each<[string, Record<string, unknown>, string]>([
      ['a number in words', { gain: '2' }, 'parameters.gain'],
      ['a number out of bounds', { gain: 0 }, 'parameters.gain'],
      ['null', { gain: null }, 'parameters.gain'],
      ['another choice', { mode: 'max' }, 'parameters.mode'],
      ['an unknown name', { drift: 1 }, 'parameters.drift'],
      ['a name of every object', { constructor: 1 }, 'parameters.constructor'],
      ['a wrong parameter of every run', { frameStep: 0 }, 'parameters.frameStep'],
      ['an end before the start', { startFrame: 3, endFrame: 1 }, 'parameters.endFrame'],
    ])('refuse %s and charge nothing', async (_what, parameters, path) => {
      const { name } = await add();
      const credits = await user.api.credits();
      expectProblem(await submit(name, parameters), 'validation-failed', path);
      expect(await user.api.credits()).toBe(credits);
      const quote = { kind: 'inference', datasetId: video.datasetId, range: 'all', model: name };
      const quoted = await user.api.post('/api/quote', { ...quote, parameters: { ...PARAMETERS, ...parameters } });
      expectProblem(quoted, 'validation-failed', path);
    });

    it('tell of all mistakes at once', async () => {
      const { name } = await add({ parameter_schema: { ...DRIFT, required: ['mode'] } });
      const { body } = await submit(name, { gain: -1, drift: 1 });
      expect((body as unknown as { errors: { path: string }[] }).errors.map(({ path }) => path).sort()).toEqual([
        'parameters.drift',
        'parameters.gain',
        'parameters.mode',
      ]);
    });

    it('refuse text that no database can hold', async () => {
      const { name } = await add({
        parameter_schema: { type: 'object', properties: { tag: { type: 'string' }, any: true } },
      });
      expectProblem(await submit(name, { tag: 'a\0' }), 'validation-failed', 'parameters.tag');
      expectProblem(await submit(name, { any: { 'a\0': [1] } }), 'validation-failed', 'parameters.any.a\0');
      expect((await submit(name, { tag: 'ok', any: { a: [null] } })).status).toBe(202);
    });

    it('take parameters of every run as narrowly as the model says, and fill its defaults in', async () => {
      const { name } = await add({
        parameter_schema: {
          type: 'object',
          properties: {
            detector: { type: 'string', enum: ['SIFT', 'ORB'] },
            distance: { type: 'number', default: 2.5 },
            frameStep: { type: 'integer', maximum: 4 },
          },
          required: ['intrinsics'],
        },
      });
      const intrinsics = { fx: 500, fy: 500, cx: 48, cy: 32 };
      expectProblem(await submit(name, { intrinsics, detector: 'AKAZE' }), 'validation-failed', 'parameters.detector');
      expectProblem(await submit(name, { intrinsics, frameStep: 5 }), 'validation-failed', 'parameters.frameStep');
      expectProblem(await submit(name), 'validation-failed', 'parameters.intrinsics');
      const { body } = await submit(name, { intrinsics });
      await jobEnd(app, { id: body.jobId[0] });
      const input = runner.begun.find(({ jobId }) => jobId === body.jobId[0]);
      expect(input?.parameters).toMatchObject({ distance: 2.5, intrinsics });
      expect(input?.model.parameters).toEqual({});
    });

    it('that need a GPU are not asked to do without', async () => {
      const { name } = await add({ resources: { gpu: 'required', vram_mb: 8000 } });
      expectProblem(await submit(name, { useGpus: false }), 'validation-failed', 'parameters.useGpus');
    });

    it('are priced like any other, also in a quote', async () => {
      const { name } = await add();
      const request = { kind: 'inference', datasetId: video.datasetId, range: 'all', model: name };
      const { status, body } = await user.api.post('/api/quote', {
        ...request,
        parameters: { ...PARAMETERS, gain: 2 },
      });
      expect([status, body]).toMatchObject([200, { items: [{ frames: 5 }] }]);
      const unknown = await user.api.post('/api/quote', { ...request, model: 'nobody', parameters: PARAMETERS });
      expectProblem(unknown, 'model-unavailable', 'model');
    });

    it('run the newest active version unless one is named', async () => {
      const name = newName();
      const versions = [
        await add({ name, version: '1' }),
        await add({ name, version: '10' }),
        await add({ name, version: '2' }),
      ];
      const versionRun = async (model: string): Promise<string> => {
        const { body } = await submit(model);
        const [row] = await app.sql<{ model_version: string }>(
          'SELECT model_version FROM inference_jobs WHERE id = $1',
          [body.jobId[0]],
        );
        return row.model_version;
      };
      expect(await versionRun(name)).toBe('2');
      expect(await versionRun(`${name}@10`)).toBe('10');
      await patch(versions[2].id, { status: 'disabled' });
      expect(await versionRun(name)).toBe('10');
      expectProblem(await submit(`${name}@2`), 'model-unavailable', 'model');
    });

    it('that are unknown or disabled are refused, with a word on where to look', async () => {
      const { id, name } = await add();
      expectProblem(await submit('nobody'), 'model-unavailable', 'model');
      await patch(id, { status: 'disabled' });
      const refused = await submit(name);
      expectProblem(refused, 'model-unavailable', 'model');
      expect(JSON.stringify(refused.body)).toContain('/api/models');
      await patch(id, { status: 'active' });
      expect((await submit(name)).status).toBe(202);
      expectProblem(await submit('Not A Name'), 'validation-failed', 'model');
    });

    it('are repeated in their version, unless it has been disabled meanwhile', async () => {
      const name = newName();
      const { id } = await add({ name });
      const job = { id: (await submit(name, { gain: 4 })).body.jobId[0] };
      await jobEnd(app, job);
      await add({ name, version: '2' });
      const retried = await user.api.post<{ jobId: string[] }>(`/api/inference/${job.id}/retry`);
      expect(retried.status).toBe(202);
      await jobEnd(app, { id: retried.body.jobId[0] });
      const input = runner.begun.find(({ jobId }) => jobId === retried.body.jobId[0]);
      expect(input?.model).toEqual({ name, version: '1', parameters: { gain: 4 } });
      await patch(id, { status: 'disabled' });
      expectProblem(await user.api.post(`/api/inference/${job.id}/retry`), 'model-unavailable');
    });

    it('are what lists can be filtered by', async () => {
      const name = newName();
      await add({ name });
      const first = (await submit(name)).body.jobId[0];
      await add({ name, version: '2' });
      const second = (await submit(name)).body.jobId[0];
      const listed = async (query: string) => {
        const { body } = await user.api.get<{ jobs: { id: string; model: object }[] }>(`/api/inference?${query}`);
        return body.jobs.map((job) => [job.id, job.model]);
      };
      const jobs = [
        [second, { name, version: '2' }],
        [first, { name, version: '1' }],
      ];
      expect(await listed(`model=${name}`)).toEqual(jobs);
      expect(await listed(`model=${name}@1`)).toEqual([jobs[1]]);
      expect(await listed(`model=${name}&dataset=${video.datasetId}&limit=1`)).toEqual([jobs[0]]);
      expect(await listed(`model=nobody`)).toEqual([]);
      expectProblem(await user.api.get('/api/inference?model=A%20B'), 'validation-failed', 'model');
    });
  });

  describe('in the OpenAPI document', () => {
    interface Document {
      components: { schemas: Record<string, object> };
      paths: Record<string, { post: { requestBody: { content: Record<string, Media> } } }>;
    }
    interface Media {
      schema: { anyOf: object[] };
      examples: Record<string, { value: object }>;
    }
    const read = async (): Promise<Document> => (await app.client().get<Document>('/api/openapi.json')).body;

    it('come and go as they are added and disabled', async () => {
      const { id, name } = await add({ parameter_schema: { ...DRIFT, required: ['mode'] } });
      const component = `InferenceParameters__${name}`;
      expect((await read()).components.schemas[component]).toMatchObject({
        additionalProperties: false,
        properties: { gain: GAIN },
      });
      await patch(id, { status: 'disabled' });
      expect((await read()).components.schemas).not.toHaveProperty(component);
      expect((await read()).components.schemas).toHaveProperty('InferenceParameters__cns');
    });

    it('have an example that can be sent as it stands', async () => {
      const { name } = await add({ parameter_schema: { ...DRIFT, required: ['mode'] } });
      const { paths } = await read();
      for (const path of ['/inference', '/quote']) {
        const { examples } = paths[path].post.requestBody.content['application/json'];
        const { value } = examples[name];
        const json = { ...value, datasetId: video.datasetId };
        Object.assign((json as unknown as { parameters: object }).parameters, {
          endFrame: 4,
          goalFrameId: 1,
          detector: 'ORB',
        });
        expect(json).toMatchObject({ model: name, parameters: { mode: 'mean' } });
        const answer = await user.api.post(`/api${path}`, json);
        expect([200, 202], JSON.stringify(answer.body)).toContain(answer.status);
      }
    });
  });

  describe('for administrators', () => {
    it('are shown as they were added, disabled ones too', async () => {
      const digest = `sha256:${'ab'.repeat(32)}`;
      const model = await add({
        version: '2.0.0-rc.1+5',
        runners: { kinds: ['embedded'], names: ['lab'] },
        resources: { gpu: 'none', memory_mb: 512 },
        digest,
        status: 'disabled',
      });
      expect(model).toMatchObject({
        parameter_schema: DRIFT,
        runners: { kinds: ['embedded'], names: ['lab'] },
        digest,
        status: 'disabled',
      });
      expect((await admin.api.get(`/api/admin/models/${model.id}`)).body).toEqual({ model });
      const { body } = await admin.api.get<{ models: ModelBody[] }>(
        `/api/admin/models?name=${model.name}&status=disabled`,
      );
      expect(body.models).toEqual([model]);
      expect((await admin.api.get(`/api/admin/models?name=${model.name}&status=active`)).body).toEqual({
        models: [],
        nextCursor: null,
      });
      const page = await admin.api.get<{ models: ModelBody[]; nextCursor: string }>('/api/admin/models?limit=1');
      const next = await admin.api.get<{ models: ModelBody[] }>(
        `/api/admin/models?limit=1&cursor=${page.body.nextCursor}`,
      );
      expect(next.body.models[0].id).not.toBe(page.body.models[0].id);
    });

    it.each<[string, object, string]>([
      ['a name with capitals', { name: 'Drift' }, 'name'],
      ['a name with a version', { name: 'drift@1' }, 'name'],
      ['a version with spaces', { version: '1 0' }, 'version'],
      ['no schema', { parameter_schema: undefined }, 'parameter_schema'],
      ['a schema that is a list', { parameter_schema: [] }, 'parameter_schema'],
      [
        'a schema that is none',
        { parameter_schema: { type: 'object', properties: { gain: { type: 'float' } } } },
        'parameter_schema',
      ],
      ['a schema of no object', { parameter_schema: { type: 'array' } }, 'parameter_schema.type'],
      [
        'a schema with a remote reference',
        { parameter_schema: { type: 'object', properties: { a: { $ref: 'http://127.0.0.1:1/x' } } } },
        'parameter_schema.properties.a.$ref',
      ],
      [
        'a schema with a dangerous pattern',
        { parameter_schema: { type: 'object', properties: { a: { type: 'string', pattern: '^(?=(a+)+$)' } } } },
        'parameter_schema.properties.a.pattern',
      ],
      [
        'a schema that widens what every run takes',
        { parameter_schema: { type: 'object', properties: { startFrame: { type: 'string' } } } },
        'parameter_schema.properties.startFrame.type',
      ],
      ['an unknown kind of runner', { runners: { kinds: ['embedded', 'magic'] } }, 'runners.kinds.1'],
      ['an empty choice of runners', { runners: { names: [] } }, 'runners.names'],
      ['an unknown resource', { resources: { gpu: 'none', tpu: 1 } }, 'resources.tpu'],
      ['a digest of another kind', { digest: 'md5:1' }, 'digest'],
      ['an unknown status', { status: 'retired' }, 'status'],
      ['an unknown modality', { modality: 'document' }, 'modality'],
      ['an unknown field', { owner: 'me' }, 'owner'],
    ])('are refused with %s', async (_what, fields, path) => {
      const body = { name: newName(), version: '1', parameter_schema: DRIFT, ...fields };
      expectProblem(await admin.api.post('/api/admin/models', body), 'validation-failed', path);
    });

    it('are added once for one Idempotency-Key, and one version once', async () => {
      const body = { name: newName(), version: '1', parameter_schema: DRIFT };
      const headers = { 'Idempotency-Key': randomUUID() };
      const first = await admin.api.post<{ model: ModelBody }>('/api/admin/models', body, headers);
      const again = await admin.api.post<{ model: ModelBody }>('/api/admin/models', body, headers);
      expect([first.status, again.status]).toEqual([201, 201]);
      expect(again.body).toEqual(first.body);
      expectProblem(await admin.api.post('/api/admin/models', body), 'model-version-taken');
      expect((await admin.api.post('/api/admin/models', { ...body, version: '2' })).status).toBe(201);
    });

    it('are changed in what jobs do not depend on, and leave a trace of who did it', async () => {
      const model = await add();
      const changed = await patch(model.id, {
        description: 'New words',
        runners: { kinds: ['embedded'] },
        status: 'disabled',
      });
      expect(changed.body).toMatchObject({
        model: { description: 'New words', runners: { kinds: ['embedded'] }, status: 'disabled' },
      });
      expect((await patch(model.id, { status: 'disabled' })).status).toBe(200);
      expect((await patch(model.id, { runners: {} })).body).toMatchObject({ model: { runners: {} } });
      for (const json of [
        {},
        { name: 'other' },
        { version: '2' },
        { parameter_schema: DRIFT },
        { runners: { kinds: ['magic'] } },
      ]) {
        expectProblem(await patch(model.id, json), 'validation-failed');
      }
      expectProblem(await patch(randomUUID(), { status: 'active' }), 'not-found');
      const { body } = await admin.api.get<{ entries: { action: string; detail: object }[] }>(
        `/api/admin/audit?target=${model.id}`,
      );
      expect(body.entries.map(({ action, detail }) => [action, detail])).toEqual([
        ['model.update', { name: model.name, version: '1', changed: 'runners', status: 'disabled' }],
        [
          'model.update',
          { name: model.name, version: '1', changed: 'description, runners, status', status: 'disabled' },
        ],
        ['model.create', { name: model.name, version: '1' }],
      ]);
    });

    it('are removed when no job refers to them, else disabled; cns stays in any case', async () => {
      const unused = await add();
      expect((await admin.api.delete(`/api/admin/models/${unused.id}`)).status).toBe(200);
      expectProblem(await admin.api.delete(`/api/admin/models/${unused.id}`), 'not-found');
      expectProblem(await submit(unused.name), 'model-unavailable');
      const used = await add();
      expect((await submit(used.name)).status).toBe(202);
      expectProblem(await admin.api.delete(`/api/admin/models/${used.id}`), 'model-in-use');
      expectProblem(await admin.api.delete(`/api/admin/models/${CNS_MODEL_ID}`), 'model-in-use');
      const { body } = await admin.api.get<{ entries: { action: string }[] }>(`/api/admin/audit?target=${unused.id}`);
      expect(body.entries[0].action).toBe('model.delete');
    });
  });
});
