import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MAX_GRANT } from '../../src/contract/credit.contract.js';
import { MAX_BALANCE } from '../../src/modules/credit/credit.domain.js';
import { startApp, type App } from '../support/app.js';
import {
  buildAdmin,
  buildDataset,
  buildJob,
  buildUser,
  buildVideo,
  PARAMETERS,
  SMALL_VIDEO,
  SMALL_VIDEO_FRAMES,
  type TestUser,
} from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';

interface Entry {
  id: string;
  kind: string;
  amount: number;
  balance_after: number;
  reason: string;
  reference: { type: string; id: string } | null;
  actor: string;
}
interface Quote {
  cost: number;
  balance: number;
  sufficient: boolean;
  items: { frames: number; cost: number; goal_video_id?: string }[];
}

describe('credits', () => {
  let app: App;
  let admin: TestUser;
  beforeAll(async () => {
    app = await startApp({ settings: { UPLOAD_FRAMES_PER_CREDIT: '10', INFERENCE_FRAMES_PER_CREDIT: '2' } });
    admin = await buildAdmin(app);
  });
  afterAll(() => app.stop());
  afterEach(() => expectLedgersToBalance(app));

  const entriesOf = async ({ api }: TestUser, query = ''): Promise<Entry[]> =>
    (await api.get<{ entries: Entry[] }>(`/api/user/credits/entries${query}`)).body.entries;
  const auditOf = (target: string): Promise<object[]> =>
    app.sql('SELECT actor_id, action, target_type, detail, address FROM audit_entries WHERE target_id = $1', [target]);
  const recharge = (body: object, headers?: Record<string, string>) =>
    admin.api.post<{ newBalance: number }>('/api/admin/recharge', body, headers);

  it('D1.3 tells the balance, and nothing else', async () => {
    const user = await buildUser(app);
    const { status, body } = await user.api.get('/api/user/credits');
    expect([status, body]).toEqual([200, { credits: 100 }]);
  });

  it('D1.4 recharges an account by its address, answers to the letter, and leaves a trace', async () => {
    const user = await buildUser(app);
    const { status, body } = await recharge({ email: user.email.toUpperCase(), credits: 50 });
    expect([status, body]).toEqual([200, { message: "User's credits updated", newBalance: 150 }]);
    expect(await user.api.credits()).toBe(150);
    const [entry] = await entriesOf(user);
    expect(entry).toMatchObject({ kind: 'recharge', amount: 50, balance_after: 150, reference: null, actor: 'admin' });
    expect(await auditOf(user.id)).toEqual([
      {
        actor_id: admin.id,
        action: 'credits.recharge',
        target_type: 'user',
        detail: { credits: 50, newBalance: 150 },
        address: expect.stringContaining('127.0.0.1'),
      },
    ]);
  });

  it.each([0, -1, 1.5, '10', null, MAX_GRANT + 1])('D1.4 recharge refuses %j credits', async (credits) => {
    const { email } = await buildUser(app);
    expectProblem(await recharge({ email, credits }), 'validation-failed', 'credits');
  });

  it('D1.4 recharge is for administrators, of accounts that exist', async () => {
    const user = await buildUser(app);
    const body = { email: user.email, credits: 1 };
    expectProblem(await user.api.post('/api/admin/recharge', body), 'forbidden');
    expectProblem(await app.client().post('/api/admin/recharge', body), 'authentication-required');
    expectProblem(await recharge({ email: `${randomUUID()}@example.com`, credits: 1 }), 'not-found');
    expectProblem(await recharge({ email: 'nobody', credits: 1 }), 'validation-failed', 'email');
    expectProblem(await recharge({ ...body, note: 'x' }), 'validation-failed', 'note');
    expect(await user.api.credits()).toBe(100);
  });

  it('D1.4 recharge stops at what an account can hold', async () => {
    const user = await buildUser(app, { credits: MAX_BALANCE - 10 });
    expectProblem(await recharge({ email: user.email, credits: 11 }), 'balance-limit');
    expect((await recharge({ email: user.email, credits: 10 })).body.newBalance).toBe(MAX_BALANCE);
    expectProblem(await recharge({ email: user.email, credits: MAX_GRANT }), 'balance-limit');
  });

  it('D1.4 recharge leaves room for what jobs that run may give back', async () => {
    const user = await buildUser(app, { credits: 100 });
    const video = await buildVideo(app, { user });
    const { id } = await buildJob(app, { video });
    await jobEnd(app, { id });
    // A job of this price, still held.
    await app.sql(
      `WITH held AS (UPDATE users SET credit = credit - 40 WHERE id = $1 RETURNING id, credit),
            job AS (INSERT INTO inference_jobs (id, user_id, dataset_id, goal_video_id, current_video_id, parameters, cost, available_at)
                    SELECT gen_random_uuid(), $1, dataset_id, goal_video_id, current_video_id, parameters, 40, 'infinity'
                    FROM inference_jobs WHERE id = $2 RETURNING id)
       INSERT INTO credit_entries (user_id, kind, amount, balance_after, reference_type, reference_id, reason)
       SELECT held.id, 'inference-hold', -40, held.credit, 'job', job.id, 'Test' FROM held, job`,
      [user.id, id],
    );
    const room = MAX_BALANCE - (await user.api.credits()) - 40;
    for (let left = room; left > 0; left -= MAX_GRANT) {
      expect((await recharge({ email: user.email, credits: Math.min(left, MAX_GRANT) })).status).toBe(200);
    }
    expectProblem(await recharge({ email: user.email, credits: 1 }), 'balance-limit');
  });

  it('lists the ledger newest first, page by page and by kind, and tells who acted', async () => {
    const user = await buildUser(app);
    const { id: videoId, datasetId } = await buildVideo(app, { user });
    await recharge({ email: user.email, credits: 5 });
    const { id: jobId } = await buildJob(app, { video: { id: videoId, datasetId, user } });
    await jobEnd(app, { id: jobId });
    const all = await entriesOf(user);
    expect(all.map(({ kind, amount, balance_after, actor }) => [kind, amount, balance_after, actor])).toEqual([
      ['inference-capture', 0, 99, 'system'],
      ['inference-hold', -3, 99, 'self'],
      ['recharge', 5, 102, 'admin'],
      ['upload', -3, 97, 'self'],
      ['signup', 100, 100, 'system'],
    ]);
    expect(all.map(({ reference }) => reference?.id ?? null)).toEqual([jobId, jobId, null, videoId, null]);
    for (const { id } of all) expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const pages: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await user.api.get<{ entries: Entry[]; nextCursor: string | null }>(
        `/api/user/credits/entries?limit=2${cursor}`,
      );
      pages.push(...body.entries.map(({ id }) => id));
      if (body.nextCursor === null) break;
      cursor = `&cursor=${body.nextCursor}`;
    }
    expect(pages).toEqual(all.map(({ id }) => id));
    expect((await entriesOf(user, '?kind=upload')).map(({ kind }) => kind)).toEqual(['upload']);
    expectProblem(await user.api.get('/api/user/credits/entries?kind=gift'), 'validation-failed', 'kind');
    expect(await entriesOf(await buildUser(app))).toHaveLength(1);
  });

  it('adjusts a balance up and down, with a reason, never below zero', async () => {
    const user = await buildUser(app);
    const adjust = (body: object) => admin.api.post<{ newBalance: number }>('/api/admin/adjust', body);
    const reason = 'Charged by mistake';
    expect((await adjust({ email: user.email, amount: 7, reason })).body.newBalance).toBe(107);
    expect((await adjust({ email: user.email, amount: -107, reason })).body.newBalance).toBe(0);
    expectProblem(await adjust({ email: user.email, amount: -1, reason }), 'validation-failed', 'amount');
    expectProblem(await adjust({ email: user.email, amount: 0, reason }), 'validation-failed', 'amount');
    expectProblem(await adjust({ email: user.email, amount: 1, reason: ' ' }), 'validation-failed', 'reason');
    expectProblem(await adjust({ email: user.email, amount: 1 }), 'validation-failed', 'reason');
    expect((await entriesOf(user)).slice(0, 2)).toMatchObject([
      { kind: 'adjustment', amount: -107, reason, actor: 'admin' },
      { kind: 'adjustment', amount: 7, reason, actor: 'admin' },
    ]);
    expect(await auditOf(user.id)).toHaveLength(2);
  });

  it('refunds an upload and a completed job once each, and nothing that was not paid', async () => {
    const video = await buildVideo(app);
    const { user } = video;
    const { id: jobId } = await buildJob(app, { video });
    const refund = (type: string, id: string) =>
      admin.api.post<{ refunded: number; newBalance: number }>('/api/admin/refund', {
        reference: { type, id },
        reason: 'Our fault',
      });
    await jobEnd(app, { id: jobId });
    expect((await refund('video', video.id)).body).toMatchObject({ refunded: 3, newBalance: 97 });
    const [one, two] = await Promise.all([refund('job', jobId), refund('job', jobId)]);
    const [done, refused] = one.status === 200 ? [one, two] : [two, one];
    expect(done.body).toMatchObject({ refunded: 3, newBalance: 100 });
    expectProblem(refused, 'already-refunded');
    expectProblem(await refund('video', video.id), 'already-refunded');
    expectProblem(await refund('job', video.id), 'nothing-to-refund');
    expectProblem(await refund('job', randomUUID()), 'nothing-to-refund');
    expect((await entriesOf(user, '?kind=refund')).map(({ reference }) => reference)).toEqual([
      { type: 'job', id: jobId },
      { type: 'video', id: video.id },
    ]);
  });

  it('refunds no job whose credits are held or have come back', async () => {
    const idle = await startApp({ parts: ['http'], settings: { INFERENCE_FRAMES_PER_CREDIT: '2' } });
    try {
      const { api } = await buildAdmin(idle);
      const { id, user } = await buildJob(idle);
      const refund = () => api.post('/api/admin/refund', { reference: { type: 'job', id }, reason: 'Sorry' });
      expectProblem(await refund(), 'nothing-to-refund');
      expect((await user.api.post(`/api/inference/${id}/cancel`)).status).toBe(200);
      expectProblem(await refund(), 'nothing-to-refund');
      await expectLedgersToBalance(idle);
    } finally {
      await idle.stop();
    }
  });

  it('quotes an upload at the price that is charged', async () => {
    const user = await buildUser(app);
    const { id } = await buildDataset(app, { user });
    const { body } = await user.api.post<Quote>('/api/quote', {
      kind: 'upload',
      frames: SMALL_VIDEO_FRAMES,
      datasetId: id,
    });
    expect(body).toEqual({
      cost: 3,
      balance: 100,
      sufficient: true,
      items: [{ frames: SMALL_VIDEO_FRAMES, cost: 3 }],
    });
    const charged = await user.api.upload<{ costDeducted: number }>(id, SMALL_VIDEO);
    expect(charged.body.costDeducted).toBe(body.cost);
    const several = await user.api.post<Quote>('/api/quote', { kind: 'upload', frames: [1, 10, 11, 1000] });
    expect(several.body).toMatchObject({ cost: 1 + 1 + 2 + 100, balance: 97, sufficient: false });
  });

  it('quotes jobs at the price that is held, and creates none', async () => {
    const user = await buildUser(app);
    const { id: datasetId } = await buildDataset(app, { user });
    for (let count = 0; count < 3; count++) await buildVideo(app, { user, datasetId });
    const before = await user.api.credits();
    const request = { datasetId, range: 'all', parameters: { ...PARAMETERS, endFrame: 10, frameStep: 3 } };
    const { status, body } = await user.api.post<Quote>('/api/quote', { kind: 'inference', ...request });
    expect(status).toBe(200);
    expect(body).toMatchObject({ cost: 4, balance: before, sufficient: true, items: [{ cost: 2 }, { cost: 2 }] });
    expect(await user.api.credits()).toBe(before);
    expect(await app.sql('SELECT 1 FROM inference_jobs WHERE user_id = $1', [user.id])).toEqual([]);
    expect((await user.api.post('/api/inference', request)).status).toBe(202);
    expect(before - (await user.api.credits())).toBe(body.cost);
  });

  it('refuses a quote as the request itself would be refused, but for the credits', async () => {
    const { datasetId, user } = await buildVideo(app);
    const stranger = await buildUser(app, { credits: 0 });
    const request = { datasetId, range: 'all', parameters: PARAMETERS };
    const quote = (body: object, { api }: TestUser = user) => api.post('/api/quote', body);
    expectProblem(await quote({ kind: 'inference', ...request }, stranger), 'not-found');
    expectProblem(await quote({ kind: 'upload', frames: 1, datasetId }, stranger), 'not-found');
    const tooLate = { ...PARAMETERS, endFrame: SMALL_VIDEO_FRAMES };
    for (const path of ['/api/quote', '/api/inference']) {
      const kind = path === '/api/quote' ? { kind: 'inference' } : {};
      expectProblem(
        await user.api.post(path, { ...kind, ...request, parameters: tooLate }),
        'validation-failed',
        'parameters.endFrame',
      );
      expectProblem(await user.api.post(path, { ...kind, ...request, range: '0-1' }), 'validation-failed', 'range');
    }
    const empty = await buildDataset(app, { user });
    expectProblem(await quote({ kind: 'inference', ...request, datasetId: empty.id }), 'empty-dataset');
    expectProblem(await quote({ kind: 'upload', frames: 0 }), 'validation-failed', 'frames');
    expectProblem(await quote({ kind: 'training' }), 'validation-failed', 'kind');
    const poor = await quote({ kind: 'upload', frames: 1 }, stranger);
    expect(poor.body).toMatchObject({ cost: 1, balance: 0, sufficient: false });
  });
});
