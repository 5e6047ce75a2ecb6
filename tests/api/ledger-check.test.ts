import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLedger } from '../../src/composition/ledger-check.js';
import type { Difference } from '../../src/modules/ledger-check/ledger-check.domain.js';
import { LedgerCheckQueries } from '../../src/modules/ledger-check/ledger-check.queries.js';
import { LedgerCheckService } from '../../src/modules/ledger-check/ledger-check.service.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildJob, buildUser, buildVideo, type TestVideo } from '../support/build.js';
import { silentLogger } from '../support/silent-logger.js';

const never = new AbortController().signal;

class RollBack extends Error {}

describe('the check of the ledger', () => {
  let app: App;
  let video: TestVideo;
  const jobs = { completed: '', pending: '', aborted: '' };
  beforeAll(async () => {
    app = await startApp({
      parts: ['http'],
      settings: { UPLOAD_FRAMES_PER_CREDIT: '10', INFERENCE_FRAMES_PER_CREDIT: '2' },
    });
    await buildUser(app);
    video = await buildVideo(app);
    const submit = async (): Promise<string> => (await buildJob(app, { video })).id;
    jobs.completed = await submit();
    await app.container.services.execution.execute(jobs.completed, never);
    jobs.pending = await submit();
    jobs.aborted = await submit();
    expect((await video.user.api.post(`/api/inference/${jobs.aborted}/cancel`)).status).toBe(200);
    const admin = await buildAdmin(app);
    const refunded = await buildVideo(app, { user: video.user, datasetId: video.datasetId });
    const refund = { reference: { type: 'video', id: refunded.id }, reason: 'Test' };
    expect((await admin.api.post('/api/admin/refund', refund)).status).toBe(200);
  });
  afterAll(() => app.stop());

  /** Checks the database as it would be after these statements, which no guard sees; nothing of it stays. */
  async function differenceAfter(...statements: string[]): Promise<Difference | null> {
    const { sequelize, models } = app.container.infrastructure;
    let difference: Difference | null = null;
    const undone = sequelize.transaction(async (transaction) => {
      await sequelize.query('SET LOCAL session_replication_role = replica', { transaction });
      for (const statement of statements) await sequelize.query(statement, { transaction });
      const queries = new LedgerCheckQueries({ sequelize, models, transaction });
      ({ difference } = await new LedgerCheckService(queries).run());
      throw new RollBack();
    });
    await expect(undone).rejects.toBeInstanceOf(RollBack);
    return difference;
  }

  const entryOf = async (kind: string, referenceId: string): Promise<string> => {
    const [row] = await app.sql<{ id: string }>('SELECT id FROM credit_entries WHERE kind = $1 AND reference_id = $2', [
      kind,
      referenceId,
    ]);
    return row.id;
  };

  it('finds nothing where nothing is wrong, and says how much it looked at', async () => {
    const report = await checkLedger(app.config, silentLogger);
    expect(report).toEqual({ difference: null, checked: { users: 3, entries: 11, jobs: 3, videos: 2 } });
  });

  it('names the account whose balance is not the sum of its entries', async () => {
    const { id } = video.user;
    expect(await differenceAfter(`UPDATE users SET credit = credit + 7 WHERE id = '${id}'`)).toMatchObject({
      check: 'balance',
      userId: id,
      expected: expect.stringContaining('a balance of 91'),
      found: '98',
    });
  });

  it('names the entry that does not continue the chain', async () => {
    const id = await entryOf('upload', video.id);
    const found = await differenceAfter(`UPDATE credit_entries SET amount = amount + 1 WHERE id = ${id}`);
    expect(found).toMatchObject({ check: 'chain', userId: video.user.id, entryId: id, found: '97' });
    const missing = await differenceAfter(`DELETE FROM credit_entries WHERE id = ${id}`);
    expect(missing).toMatchObject({ check: 'chain', userId: video.user.id, found: '94' });
  });

  it('names the entry about something that is not there', async () => {
    const id = await entryOf('upload', video.id);
    const ghost = randomUUID();
    const found = await differenceAfter(`UPDATE credit_entries SET reference_id = '${ghost}' WHERE id = ${id}`);
    expect(found).toMatchObject({ check: 'reference', entryId: id, subject: { type: 'video', id: ghost } });
    const bare = await differenceAfter(
      `UPDATE credit_entries SET reference_id = NULL, reference_type = NULL WHERE id = ${id}`,
    );
    expect(bare).toMatchObject({ check: 'reference', entryId: id, found: 'nothing' });
  });

  it('names the entry of an account that is not there, wherever in the order of accounts it stood', async () => {
    const users = await app.sql<{ id: string; entry: string }>(
      `SELECT users.id, min(credit_entries.id) AS entry FROM users JOIN credit_entries ON user_id = users.id
       GROUP BY users.id ORDER BY users.id`,
    );
    expect(users).toHaveLength(3);
    for (const { id, entry } of users) {
      expect(await differenceAfter(`DELETE FROM users WHERE id = '${id}'`)).toMatchObject({
        check: 'reference',
        userId: id,
        entryId: entry,
        expected: 'an account for each entry',
      });
    }
  });

  it('names the second welcome, and the gift that takes', async () => {
    const { id } = video.user;
    const entry = (kind: string, amount: number): string[] => [
      `INSERT INTO credit_entries (user_id, kind, amount, balance_after, reason)
       SELECT id, '${kind}', ${amount}, credit + ${amount}, 'Test' FROM users WHERE id = '${id}'`,
      `UPDATE users SET credit = credit + ${amount} WHERE id = '${id}'`,
    ];
    expect(await differenceAfter(...entry('adjustment', -5))).toBeNull();
    expect(await differenceAfter(...entry('recharge', 5))).toBeNull();
    expect(await differenceAfter(...entry('recharge', -5))).toMatchObject({
      check: 'amount',
      userId: id,
      expected: 'a recharge that adds credits',
      found: '-5',
    });
    expect(await differenceAfter(...entry('signup', 100))).toMatchObject({
      check: 'amount',
      userId: id,
      expected: 'signup as the first entry of the account, or none',
    });
  });

  it('names the completed job that was not paid, and the payment without a result', async () => {
    const capture = await entryOf('inference-capture', jobs.completed);
    const unpaid = await differenceAfter(`DELETE FROM credit_entries WHERE id = ${capture}`);
    expect(unpaid).toMatchObject({
      check: 'job',
      entryId: null,
      subject: { type: 'job', id: jobs.completed },
      expected: expect.stringContaining('inference-capture of 0'),
      found: 'none',
    });
    const resultless = await differenceAfter(`DELETE FROM results WHERE job_id = '${jobs.completed}'`);
    expect(resultless).toMatchObject({ subject: { id: jobs.completed }, expected: 'a result of a COMPLETED job' });
  });

  it('names the job that was paid as it should not have been', async () => {
    const hold = await entryOf('inference-hold', jobs.pending);
    const entry = (kind: string, jobId: string): string =>
      `INSERT INTO credit_entries (user_id, kind, amount, balance_after, reference_type, reference_id, reason)
       VALUES ('${video.user.id}', '${kind}', 0, 91, 'job', '${jobId}', 'Test')`;
    expect(await differenceAfter(entry('inference-capture', jobs.pending))).toMatchObject({
      subject: { id: jobs.pending },
      expected: expect.stringContaining('no inference-capture (PENDING'),
    });
    expect(await differenceAfter(entry('inference-capture', jobs.aborted))).toMatchObject({
      subject: { id: jobs.aborted },
      expected: expect.stringContaining('no inference-capture (ABORTED'),
    });
    expect(await differenceAfter(entry('refund', jobs.pending))).toMatchObject({
      expected: expect.stringContaining('no refund (PENDING'),
    });
    expect(await differenceAfter(entry('inference-release', jobs.completed))).toMatchObject({
      expected: expect.stringContaining('no inference-release (COMPLETED'),
    });
    expect(
      await differenceAfter(`UPDATE inference_jobs SET cost = cost + 1 WHERE id = '${jobs.pending}'`),
    ).toMatchObject({
      entryId: hold,
      expected: expect.stringContaining('inference-hold of -4'),
      found: expect.stringContaining('-3'),
    });
  });

  it('names the hold that was paid twice, and the one that never came back', async () => {
    const [{ id: release }] = await app.sql<{ id: string }>(
      `SELECT id FROM credit_entries WHERE kind = 'inference-release' AND reference_id = $1`,
      [jobs.aborted],
    );
    expect(
      await differenceAfter(
        'ALTER TABLE credit_entries DROP CONSTRAINT credit_entries_kind_reference_id_key',
        `INSERT INTO credit_entries (user_id, kind, amount, balance_after, reference_type, reference_id, reason)
         VALUES ('${video.user.id}', 'inference-hold', -3, 88, 'job', '${jobs.pending}', 'Test')`,
        `UPDATE users SET credit = 88 WHERE id = '${video.user.id}'`,
      ),
    ).toMatchObject({ subject: { id: jobs.pending }, expected: 'one inference-hold' });
    expect(
      await differenceAfter(
        `UPDATE credit_entries SET kind = 'adjustment', reference_type = NULL, reference_id = NULL WHERE id = ${release}`,
      ),
    ).toMatchObject({ subject: { id: jobs.aborted }, expected: expect.stringContaining('inference-release of 3') });
  });

  it('names the upload that cost something else than was paid, or nothing', async () => {
    const upload = await entryOf('upload', video.id);
    expect(await differenceAfter(`UPDATE videos SET cost = 5 WHERE id = '${video.id}'`)).toMatchObject({
      check: 'video',
      entryId: upload,
      subject: { type: 'video', id: video.id },
      expected: expect.stringContaining('upload of -5'),
    });
    expect(await differenceAfter(`UPDATE videos SET cost = 0 WHERE id = '${video.id}'`)).toMatchObject({
      entryId: upload,
      expected: expect.stringContaining('no upload'),
    });
  });
});
