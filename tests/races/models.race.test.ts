import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildVideo, PARAMETERS, type TestUser, type TestVideo } from '../support/build.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { until } from '../support/wait.js';

const SCHEMA = { type: 'object', properties: { gain: { type: 'number', default: 1 } } };
const NAMES = Array.from({ length: 20 }, (_, number) => `race-${number}`);
const unused = [...NAMES];
const newName = (): string => unused.shift() ?? expect.fail('More names are needed');

describe('models, everybody at once', () => {
  let app: App;
  let admin: TestUser;
  let video: TestVideo;
  beforeAll(async () => {
    const runner = createScriptedRunner({ behaviour: {}, description: { serves: NAMES } });
    app = await startApp({ parts: ['http'], runner });
    admin = await buildAdmin(app);
    video = await buildVideo(app);
  });
  afterAll(() => app.stop());

  const create = (name: string, version: string) =>
    admin.api.post<{ model: { id: string }; code?: string }>('/api/admin/models', {
      name,
      version,
      parameter_schema: SCHEMA,
    });

  const submit = (model: string) =>
    video.user.api.post<{ jobId: string[]; code?: string }>('/api/inference', {
      datasetId: video.datasetId,
      range: 'all',
      model,
      parameters: PARAMETERS,
    });

  const versionOf = async (jobId: string): Promise<string> => {
    const sql = 'SELECT model_version AS version FROM inference_jobs WHERE id = $1';
    return (await app.sql<{ version: string }>(sql, [jobId]))[0].version;
  };

  const somebodyWaitsForALock = () =>
    until(
      async () => {
        const waiting = await app.sql(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      },
      { what: 'somebody to wait for a lock' },
    );

  it('the same version is added once, and whoever comes late is told so', async () => {
    const name = newName();
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(name, '1')));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(7).fill(409)]);
    expect(new Set(answers.filter(({ status }) => status === 409).map(({ body }) => body.code))).toEqual(
      new Set(['model-version-taken']),
    );
    expect(await app.sql('SELECT 1 FROM models WHERE name = $1', [name])).toHaveLength(1);
    const created = answers.find(({ status }) => status === 201)?.body.model.id;
    expect(await app.sql(`SELECT 1 FROM audit_entries WHERE target_id = $1`, [created])).toHaveLength(1);
  });

  it('a model that is taken up by a submission stays until that is through', async () => {
    const name = newName();
    const { id } = (await create(name, '1')).body.model;
    let deletion: ReturnType<typeof admin.api.delete> | undefined;
    await app.container.infrastructure.uow.run(async ({ repositories }) => {
      expect(await repositories.models.findActive({ name, version: null })).toMatchObject({ id });
      deletion = admin.api.delete(`/api/admin/models/${id}`);
      await somebodyWaitsForALock();
    });
    expect((await deletion)?.status).toBe(200);
  });

  it('a submission that meets a deletion runs the version before', async () => {
    const name = newName();
    await create(name, '1');
    const { id } = (await create(name, '2')).body.model;
    let submission: ReturnType<typeof submit> | undefined;
    await app.container.infrastructure.uow.run(async ({ repositories }) => {
      await repositories.models.delete(id);
      submission = submit(name);
      await somebodyWaitsForALock();
    });
    const answer = await submission;
    expect(answer?.status).toBe(202);
    expect(await versionOf(answer?.body.jobId[0] ?? '')).toBe('1');
  });

  it('a submission that meets the deletion of the last version is refused', async () => {
    const name = newName();
    const { id } = (await create(name, '1')).body.model;
    let submission: ReturnType<typeof submit> | undefined;
    await app.container.infrastructure.uow.run(async ({ repositories }) => {
      await repositories.models.delete(id);
      submission = submit(name);
      await somebodyWaitsForALock();
    });
    expect((await submission)?.body.code).toBe('model-unavailable');
  });

  it('jobs and deletions in any order leave no job without its model', async () => {
    for (let round = 0; round < 5; round++) {
      const name = newName();
      const { id } = (await create(name, '1')).body.model;
      const [submissions, deletions] = await Promise.all([
        Promise.all(Array.from({ length: 4 }, () => submit(name))),
        Promise.all(Array.from({ length: 2 }, () => admin.api.delete<{ code?: string }>(`/api/admin/models/${id}`))),
      ]);
      const accepted = submissions.filter(({ status }) => status === 202).length;
      const isGone = deletions.some(({ status }) => status === 200);
      expect(submissions.every(({ status, body }) => status === 202 || body.code === 'model-unavailable')).toBe(true);
      expect(
        deletions.every(
          ({ status, body }) => status === 200 || ['model-in-use', 'not-found'].includes(body.code ?? ''),
        ),
      ).toBe(true);
      expect(isGone).toBe(accepted === 0);
      expect(await app.sql('SELECT 1 FROM models WHERE id = $1', [id])).toHaveLength(isGone ? 0 : 1);
    }
  });

  it('changes of several administrators all hold, each with its entry in the audit log', async () => {
    const { id } = (await create(newName(), '1')).body.model;
    const changes = [
      { description: 'a' },
      { resources: { gpu: 'none' } },
      { status: 'disabled' },
      { status: 'disabled' },
    ];
    await Promise.all(changes.map((json) => admin.api.request('PATCH', `/api/admin/models/${id}`, { json })));
    const { body } = await admin.api.get(`/api/admin/models/${id}`);
    expect(body).toMatchObject({ model: { description: 'a', resources: { gpu: 'none' }, status: 'disabled' } });
    const entries = await app.sql(`SELECT 1 FROM audit_entries WHERE target_id = $1 AND action = 'model.update'`, [id]);
    expect(entries).toHaveLength(3);
  });
});
