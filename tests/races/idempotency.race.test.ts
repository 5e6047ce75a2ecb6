import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ApiAnswer } from '../support/api-client.js';
import { startApp, type App } from '../support/app.js';
import {
  buildDataset,
  buildUser,
  buildVideo,
  PARAMETERS,
  SMALL_VIDEO,
  TEXTURED_VIDEO,
  type TestUser,
} from '../support/build.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';
import { expectFilesToMatchRows, storedFiles } from '../support/stored-files.js';
import { until } from '../support/wait.js';

const SETTINGS = { UPLOAD_FRAMES_PER_CREDIT: '25', INFERENCE_FRAMES_PER_CREDIT: '5' };

const keyed = (key: string = randomUUID()): Record<string, string> => ({ 'Idempotency-Key': key });
const isReplay = ({ headers }: ApiAnswer<unknown>): boolean => headers.get('idempotency-replayed') === 'true';

describe('requests with an Idempotency-Key', () => {
  let app: App;
  let second: App;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'], settings: SETTINGS });
    second = await startApp({ parts: ['http'], beside: app, settings: SETTINGS });
  });
  afterAll(async () => {
    await second.stop();
    await app.stop();
  });
  afterEach(() => expectLedgersToBalance(app));

  const submission = (datasetId: string, parameters: object = {}) => ({
    datasetId,
    range: 'all',
    parameters: { ...PARAMETERS, ...parameters },
  });
  const jobsOf = ({ id }: TestUser) => app.sql('SELECT id FROM inference_jobs WHERE user_id = $1', [id]);

  it('repeats the answer of a submission to the letter, headers and all, and charges once', async () => {
    const { datasetId, user } = await buildVideo(app);
    const before = await user.api.credits();
    const headers = keyed();
    const first = await user.api.post('/api/inference', submission(datasetId), headers);
    expect([first.status, isReplay(first)]).toEqual([202, false]);
    const again = await second.client(user.token).post('/api/v1/inference', submission(datasetId), headers);
    expect([again.status, isReplay(again)]).toEqual([202, true]);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(await jobsOf(user)).toHaveLength(1);
    expect(await user.api.credits()).toBe(before - 1);
    const entries = await app.sql(
      `SELECT idempotency_key FROM credit_entries WHERE user_id = $1 AND kind = 'inference-hold'`,
      [user.id],
    );
    expect(entries).toEqual([{ idempotency_key: headers['Idempotency-Key'] }]);
  });

  it('does not depend on the order of members, nor on defaults being written out', async () => {
    const { datasetId, user } = await buildVideo(app);
    const headers = keyed();
    const { range, parameters } = submission(datasetId);
    const first = await user.api.post('/api/inference', { datasetId, range, parameters }, headers);
    const again = await user.api.post('/api/inference', { priority: 5, parameters, range, datasetId }, headers);
    expect([again.status, isReplay(again)]).toEqual([202, true]);
    expect(again.body).toEqual(first.body);
  });

  it('refuses a key that belongs to another request, body or route', async () => {
    const { datasetId, user } = await buildVideo(app);
    const headers = keyed();
    await user.api.post('/api/inference', submission(datasetId), headers);
    const otherBody = await user.api.post('/api/inference', submission(datasetId, { endFrame: 3 }), headers);
    expectProblem(otherBody, 'idempotency-key-reused');
    expectProblem(await user.api.post('/api/dataset', { name: 'other' }, headers), 'idempotency-key-reused');
    expect(await jobsOf(user)).toHaveLength(1);
  });

  it('keeps the keys of users apart', async () => {
    const headers = keyed();
    const [one, two] = [await buildUser(app), await buildUser(app)];
    const answers = [
      await one.api.post('/api/dataset', { name: 'mine' }, headers),
      await two.api.post('/api/dataset', { name: 'mine' }, headers),
    ];
    expect(answers.map((answer) => [answer.status, isReplay(answer)])).toEqual([
      [201, false],
      [201, false],
    ]);
  });

  it('leaves the key free after a refusal: 402, recharge, same key', async () => {
    const user = await buildUser(app, { credits: 1 });
    const { datasetId } = await buildVideo(app, { user });
    const headers = keyed();
    expectProblem(await user.api.post('/api/inference', submission(datasetId), headers), 'insufficient-credits');
    await app.container.infrastructure.uow.run(({ repositories }) =>
      repositories.credits.book({
        userId: user.id,
        kind: 'recharge',
        amount: 1,
        reference: null,
        reason: 'Test',
        actorId: null,
      }),
    );
    const paid = await user.api.post('/api/inference', submission(datasetId), headers);
    expect([paid.status, isReplay(paid)]).toEqual([202, false]);
    expect(await user.api.credits()).toBe(0);
    // With nothing left, the repetition is still the answer and not a 402.
    const again = await user.api.post('/api/inference', submission(datasetId), headers);
    expect([again.status, isReplay(again)]).toEqual([202, true]);
  });

  it('repeats the answer of a submission whose limits would be refused by now', async () => {
    const { datasetId, user } = await buildVideo(app);
    const headers = keyed();
    const startDeadline = new Date(Date.now() + 60_000).toISOString();
    const body = { ...submission(datasetId), startDeadline, timeout: 600 };
    const first = await user.api.post('/api/inference', body, headers);
    expect(first.status).toBe(202);
    const stricter = await startApp({ parts: ['http'], beside: app, settings: { ...SETTINGS, JOB_TIMEOUT: '5m' } });
    const now = Date.now.bind(Date);
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + 61_000);
    try {
      const again = await stricter.client(user.token).post('/api/inference', body, headers);
      expect([again.status, again.body, isReplay(again)]).toEqual([202, first.body, true]);
      const late = await user.api.post('/api/inference', { ...body, timeout: 60 }, keyed());
      expectProblem(late, 'validation-failed', 'startDeadline');
    } finally {
      clock.mockRestore();
      await stricter.stop();
    }
    expect(await jobsOf(user)).toHaveLength(1);
  });

  it('has the effect of a double click on two servers once', async () => {
    const { datasetId, user } = await buildVideo(app);
    const before = await user.api.credits();
    const headers = keyed();
    const clients = [user.api, second.client(user.token)];
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        clients[index % 2].post<{ jobId: string[] }>('/api/inference', submission(datasetId), headers),
      ),
    );
    for (const answer of answers.filter(({ status }) => status !== 202)) {
      expectProblem(answer, 'idempotency-key-in-use');
      expect(answer.body).toMatchObject({ retryable: true });
    }
    const accepted = answers.filter(({ status }) => status === 202);
    expect(accepted.filter((answer) => !isReplay(answer))).toHaveLength(1);
    expect(new Set(accepted.map(({ body }) => body.jobId[0])).size).toBe(1);
    expect(await jobsOf(user)).toHaveLength(1);
    expect(await user.api.credits()).toBe(before - 1);
  });

  it('answers 409 while the request with the key is being worked on', async () => {
    const user = await buildUser(app);
    const headers = keyed();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const holding = app.container.infrastructure.uow.run(async ({ repositories }) => {
      await repositories.idempotency.hold({ userId: user.id, key: headers['Idempotency-Key'], fingerprint: '' });
      await held;
    });
    await until(
      async () => {
        const answer = await second.client(user.token).post('/api/dataset', { name: randomUUID() }, headers);
        return answer.body.code === 'idempotency-key-in-use';
      },
      { what: 'the refusal of a key in use' },
    ).finally(release);
    await holding;
  });

  it('leaves nothing of a transaction that died before its end', async () => {
    const { datasetId, user } = await buildVideo(app);
    const headers = keyed();
    await app.sql(
      `CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'struck by lightning'; END $$`,
    );
    await app.sql('CREATE TRIGGER die BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION die()');
    try {
      expectProblem(await user.api.post('/api/inference', submission(datasetId), headers), 'internal-error');
    } finally {
      await app.sql('DROP FUNCTION die() CASCADE');
    }
    expect(await jobsOf(user)).toEqual([]);
    const answer = await user.api.post('/api/inference', submission(datasetId), headers);
    expect([answer.status, isReplay(answer)]).toEqual([202, false]);
    expect(await jobsOf(user)).toHaveLength(1);
  });

  it('repeats the answer of an upload without storing or charging twice, also when the first took the last credit', async () => {
    const user = await buildUser(app, { credits: 1 });
    const { id } = await buildDataset(app, { user });
    const headers = keyed();
    const first = await user.api.upload(id, SMALL_VIDEO, 'clip', undefined, headers);
    expect(first.status).toBe(201);
    const files = await storedFiles(app);
    const again = await second.client(user.token).upload(id, SMALL_VIDEO, 'clip', undefined, headers);
    expect([again.status, isReplay(again)]).toEqual([201, true]);
    expect(again.body).toEqual(first.body);
    expect(await user.api.credits()).toBe(0);
    expectProblem(await user.api.upload(id, SMALL_VIDEO, 'another name', undefined, headers), 'idempotency-key-reused');
    expectProblem(await user.api.upload(id, TEXTURED_VIDEO, 'clip', undefined, headers), 'idempotency-key-reused');
    expectProblem(await user.api.upload(id, SMALL_VIDEO, 'clip', undefined, keyed()), 'insufficient-credits');
    const after = await storedFiles(app);
    expect([after.videos, after.staging]).toEqual([files.videos, []]);
  });

  it('stores and charges one of many simultaneous uploads with one key', async () => {
    const user = await buildUser(app);
    const { id } = await buildDataset(app, { user });
    const headers = keyed();
    const content = new Uint8Array(await readFile(SMALL_VIDEO));
    const before = await user.api.credits();
    const clients = [user.api, second.client(user.token)];
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        clients[index % 2].upload<{ id: string }>(id, content, 'clip', undefined, headers),
      ),
    );
    for (const answer of answers.filter(({ status }) => status !== 201))
      expectProblem(answer, 'idempotency-key-in-use');
    const accepted = answers.filter(({ status }) => status === 201);
    expect(new Set(accepted.map(({ body }) => body.id)).size).toBe(1);
    expect(await app.sql('SELECT 1 FROM videos WHERE dataset_id = $1', [id])).toHaveLength(1);
    expect(await user.api.credits()).toBe(before - 1);
    await expectFilesToMatchRows(app);
    expect((await storedFiles(app)).staging).toEqual([]);
  });

  it('takes keys with the quotes of a structured field, and refuses what is no key', async () => {
    const { api } = await buildUser(app);
    const key = randomUUID();
    const plain = await api.post('/api/dataset', { name: 'once' }, keyed(key));
    const quoted = await api.post('/api/dataset', { name: 'once' }, keyed(`"${key}"`));
    expect([plain.status, quoted.status, isReplay(quoted)]).toEqual([201, 201, true]);
    for (const bad of ['two words', '""', 'x'.repeat(256), 'caf\u00e9']) {
      expectProblem(await api.post('/api/dataset', { name: 'x' }, keyed(bad)), 'validation-failed', 'Idempotency-Key');
    }
  });

  it('still knows the answer after a restart, and forgets it after its time', async () => {
    const user = await buildUser(app);
    const headers = keyed();
    const first = await user.api.post('/api/dataset', { name: 'kept' }, headers);
    const restarted = await startApp({ parts: ['http'], beside: app, settings: SETTINGS });
    try {
      const client = restarted.client(user.token);
      const again = await client.post('/api/dataset', { name: 'kept' }, headers);
      expect([again.status, again.body, isReplay(again)]).toEqual([201, first.body, true]);
      const { idempotency } = restarted.container.services;
      await idempotency.forgetOld();
      expect(isReplay(await client.post('/api/dataset', { name: 'kept' }, headers))).toBe(true);
      await app.sql(`UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE user_id = $1`, [
        user.id,
      ]);
      await Promise.all([idempotency.forgetOld(), app.container.services.idempotency.forgetOld()]);
      expectProblem(await client.post('/api/dataset', { name: 'kept' }, headers), 'name-taken');
    } finally {
      await restarted.stop();
    }
  });
});
