import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import {
  buildAdmin,
  buildDataset,
  buildUser,
  buildVideo,
  PARAMETERS,
  PASSWORD,
  SMALL_VIDEO,
} from '../support/build.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { storedFiles } from '../support/stored-files.js';

const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));

describe('credits under simultaneous requests', () => {
  let app: App;
  let second: App;
  beforeAll(async () => {
    app = await startApp({
      parts: ['http'],
      settings: { UPLOAD_FRAMES_PER_CREDIT: '25', INFERENCE_FRAMES_PER_CREDIT: '5' },
    });
    second = await startApp({
      parts: ['http'],
      beside: app,
      settings: { UPLOAD_FRAMES_PER_CREDIT: '25', INFERENCE_FRAMES_PER_CREDIT: '5' },
    });
  });
  afterAll(async () => {
    await second.stop();
    await app.stop();
  });
  afterEach(() => expectLedgersToBalance(app));

  it('lets five of twenty uploads in when five can be paid, over two servers', async () => {
    const user = await buildUser(app, { credits: 5 });
    const { id } = await buildDataset(app, { user });
    const clients = [user.api, second.client(user.token)];
    const answers = await times(20, (index) => clients[index % 2].upload(id, SMALL_VIDEO, `video ${index}`));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(15);
    expect(await user.api.credits()).toBe(0);
    expect(await app.sql('SELECT 1 FROM videos WHERE dataset_id = $1', [id])).toHaveLength(5);
    const files = await storedFiles(app);
    expect([files.videos.length, files.staging.length]).toEqual([1, 0]);
  });

  it('lets five of twenty submissions in when five can be paid, over two servers', async () => {
    const user = await buildUser(app, { credits: 6 });
    const { datasetId } = await buildVideo(app, { user });
    const clients = [user.api, second.client(user.token)];
    const body = { datasetId, range: 'all', parameters: PARAMETERS };
    const answers = await times(20, (index) => clients[index % 2].post('/api/inference', body));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(15);
    expect(await user.api.credits()).toBe(0);
    expect(await app.sql('SELECT 1 FROM inference_jobs WHERE user_id = $1', [user.id])).toHaveLength(5);
    const events = await app.sql<{ seq: string }>('SELECT seq FROM events WHERE user_id = $1 ORDER BY seq', [user.id]);
    expect(events.map(({ seq }) => Number(seq))).toEqual([1, 2, 3, 4, 5]);
  });

  it('registers an address once, however often it is sent at the same time', async () => {
    const email = `${randomUUID()}@example.com`;
    const clients = [app.client(), second.client()];
    const answers = await times(10, (index) =>
      clients[index % 2].post('/api/auth/register', { email, password: PASSWORD }),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
    const booked = await app.sql('SELECT 1 FROM credit_entries c JOIN users u ON u.id = c.user_id WHERE email = $1', [
      email,
    ]);
    expect(booked).toHaveLength(1);
  });

  it('makes one first administrator when two servers start at once', async () => {
    const made = await Promise.all(
      [app, second].map(({ container }) => container.services.accounts.ensureAdmin('admin@example.com', undefined)),
    );
    expect(made.filter((admin) => admin !== null)).toHaveLength(1);
    expect(await app.sql(`SELECT 1 FROM users WHERE role = 'admin'`)).toHaveLength(1);
  });

  it('adds up recharges and spending that happen at the same time over two servers', async () => {
    const [user, admin] = [await buildUser(app, { credits: 3 }), await buildAdmin(app)];
    const { id } = await buildDataset(app, { user });
    const admins = [admin.api, second.client(admin.token)];
    const users = [user.api, second.client(user.token)];
    const [recharges, uploads] = await Promise.all([
      times(10, (index) => admins[index % 2].post('/api/admin/recharge', { email: user.email, credits: 1 })),
      times(10, (index) => users[index % 2].upload(id, SMALL_VIDEO, `video ${index}`)),
    ]);
    expect(recharges.map(({ status }) => status)).toEqual(recharges.map(() => 200));
    const paid = uploads.filter(({ status }) => status === 201).length;
    expect(uploads.filter(({ status }) => status === 402)).toHaveLength(10 - paid);
    expect(paid).toBeGreaterThanOrEqual(3);
    expect(await user.api.credits()).toBe(13 - paid);
  });

  it('has one of many recharges with one key over two servers', async () => {
    const [user, admin] = [await buildUser(app, { credits: 0 }), await buildAdmin(app)];
    const clients = [admin.api, second.client(admin.token)];
    const headers = { 'Idempotency-Key': randomUUID() };
    const answers = await times(10, (index) =>
      clients[index % 2].post('/api/admin/recharge', { email: user.email, credits: 5 }, headers),
    );
    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
    expect(await user.api.credits()).toBe(5);
    expect(await app.sql('SELECT 1 FROM audit_entries WHERE target_id = $1', [user.id])).toHaveLength(1);
  });

  it('lets no balance leave its ledger, whoever writes', async () => {
    const { id } = await buildUser(app);
    await expect(app.sql('UPDATE users SET credit = credit + 1 WHERE id = $1', [id])).rejects.toThrow(
      'its ledger says 100',
    );
    const entry = `INSERT INTO credit_entries (user_id, kind, amount, balance_after, reason) VALUES ($1, 'adjustment', 1, $2, 'x')`;
    await expect(app.sql(entry, [id, 101])).rejects.toThrow('its ledger says 101');
    await expect(app.sql(entry, [id, 102])).rejects.toThrow('cannot leave 102');
    await expect(
      app.sql(
        `INSERT INTO users (id, email, password_hash, credit) VALUES (gen_random_uuid(), 'gift@example.com', 'x', 5)`,
      ),
    ).rejects.toThrow('its ledger says 0');
  });

  it('never changes what is in the ledger, nor the end of a job', async () => {
    await buildUser(app);
    await expect(app.sql('UPDATE credit_entries SET amount = 0')).rejects.toThrow('append-only');
    await expect(app.sql('DELETE FROM credit_entries')).rejects.toThrow('append-only');
    await expect(app.sql('TRUNCATE credit_entries')).rejects.toThrow('append-only');
    await expect(app.sql('UPDATE users SET credit = -1')).rejects.toThrow('users_credit_check');
  });
});
