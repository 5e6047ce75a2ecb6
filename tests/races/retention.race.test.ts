import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildDataset, buildJob, buildUser, buildVideo, SMALL_VIDEO, type TestVideo } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { expectFilesToMatchRows, storedFiles } from '../support/stored-files.js';
import { until } from '../support/wait.js';

describe('deleted datasets', () => {
  let app: App;
  let second: App;
  const runner = createScriptedRunner({ behaviour: ({ attempt }) => (attempt === 1 ? { hangAfterFrames: 0 } : {}) });
  beforeAll(async () => {
    app = await startApp({ runner });
    second = await startApp({ parts: ['http'], beside: app });
  });
  afterAll(async () => {
    await second.stop();
    await app.stop();
  });

  /** As if the videos had been deleted before the time that they are kept for. */
  const letTimePass = () => app.sql(`UPDATE videos SET deleted_at = deleted_at - interval '8 days'`);
  const purge = async (): Promise<number[]> =>
    Promise.all([app, second].map(({ container }) => container.services.retention.purge()));
  const fileIsThere = async (key: string) => (await app.container.infrastructure.store.stat(key)) !== null;

  async function keyOf({ id }: TestVideo): Promise<string> {
    const [row] = await app.sql<{ storage_key: string }>('SELECT storage_key FROM videos WHERE id = $1', [id]);
    return row.storage_key;
  }

  it('D2.5 lose their files after the retention time, shared ones with the last who has them', async () => {
    const [first, other] = [await buildVideo(app), await buildVideo(app)];
    const key = await keyOf(first);
    expect(await keyOf(other)).toBe(key);
    await first.user.api.delete(`/api/dataset/${first.datasetId}`);
    expect(await purge()).toEqual([0, 0]);
    await letTimePass();
    expect((await purge()).sort()).toEqual([0, 1]);
    expect(await fileIsThere(key)).toBe(true);
    await other.user.api.delete(`/api/dataset/${other.datasetId}`);
    await letTimePass();
    expect((await purge()).sort()).toEqual([0, 1]);
    expect(await fileIsThere(key)).toBe(false);
    expect((await storedFiles(app)).videos).toEqual([]);
    expect(await purge()).toEqual([0, 0]);
    const rows = await app.sql<{ purged: boolean }>(
      'SELECT purged_at IS NOT NULL AS purged FROM videos WHERE id IN ($1, $2)',
      [first.id, other.id],
    );
    expect(rows).toEqual([{ purged: true }, { purged: true }]);
  });

  it('keep the files of jobs that wait or run until these have ended, and show jobs and results afterwards', async () => {
    const video = await buildVideo(app);
    const key = await keyOf(video);
    const job = await buildJob(app, { video });
    await video.user.api.delete(`/api/dataset/${video.datasetId}`);
    await letTimePass();
    await until(() => runner.begun.length > 0, { what: 'the first attempt' });
    expect(await purge()).toEqual([0, 0]);
    expect(await fileIsThere(key)).toBe(true);
    runner.crash();
    expect((await jobEnd(app, job)).status).toBe('COMPLETED');
    expect((await purge()).sort()).toEqual([0, 1]);
    expect(await fileIsThere(key)).toBe(false);
    expect((await video.user.api.get(`/api/inference/result/json/${job.id}`)).status).toBe(200);
    expect((await video.user.api.get(`/api/inference/result/zip/${job.id}`)).status).toBe(200);
    expect((await video.user.api.get(`/api/inference/status/${job.id}`)).body).toMatchObject({ status: 'COMPLETED' });
  });

  it('never take a file from somebody who uploads the same content at that moment', async () => {
    const user = await buildUser(app);
    for (let round = 0; round < 5; round++) {
      const old = await buildVideo(app, { user });
      await user.api.delete(`/api/dataset/${old.datasetId}`);
      await letTimePass();
      const { id: datasetId } = await buildDataset(app, { user });
      const [answer] = await Promise.all([
        second.client(user.token).upload<{ id: string }>(datasetId, SMALL_VIDEO),
        purge(),
        app.container.services.files.removeUnreferenced(),
      ]);
      expect(answer.status).toBe(201);
      await purge();
      expect(await fileIsThere(await keyOf({ id: answer.body.id, datasetId, user }))).toBe(true);
      await expectFilesToMatchRows(app);
    }
  });

  it('are deleted once, however many try, and take in no upload afterwards', async () => {
    const { user, datasetId } = await buildVideo(app);
    const clients = [user.api, second.client(user.token)];
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) => clients[index % 2].delete(`/api/dataset/${datasetId}`)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404, 404, 404, 404]);
    expectProblem(await user.api.upload(datasetId, SMALL_VIDEO), 'not-found');
    const live = await app.sql('SELECT 1 FROM videos WHERE dataset_id = $1 AND deleted_at IS NULL', [datasetId]);
    expect(live).toEqual([]);
  });

  it('mark an upload that came in just before as deleted with them', async () => {
    const { id: datasetId, user } = await buildDataset(app);
    const uploads = Array.from({ length: 3 }, () => user.api.upload(datasetId, SMALL_VIDEO));
    await Promise.race(uploads);
    await second.client(user.token).delete(`/api/dataset/${datasetId}`);
    const answers = await Promise.all(uploads);
    for (const answer of answers) if (answer.status !== 201) expectProblem(answer, 'not-found');
    const live = await app.sql('SELECT 1 FROM videos WHERE dataset_id = $1 AND deleted_at IS NULL', [datasetId]);
    expect(live).toEqual([]);
  });
});
