import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildJob, buildUser, type TestUser } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { plansOf } from '../support/query-plans.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

const NOTHING = {
  ...{ jobs: 0, attempts: 0, frames: 0, seconds: 0, cpu_seconds: 0, gpu_seconds: 0 },
  ...{ energy_wh: 0, carbon_footprint: 0, credits: 0 },
};

describe('what users have consumed', () => {
  let app: App;
  beforeAll(async () => {
    const runner = createScriptedRunner({ behaviour: { usage: { wallSeconds: 60, cpuSeconds: 360 } } });
    app = await startApp({ runner, settings: { INFERENCE_FRAMES_PER_CREDIT: '5', CARBON_INTENSITY: '500' } });
  });
  afterAll(() => app.stop());

  const sdkOf = ({ token }: TestUser) => createClient({ baseUrl: app.baseUrl, token });
  const addDay = (user: TestUser, day: string, jobs = 1) =>
    app.sql(
      `INSERT INTO usage_days (user_id, day, jobs, attempts, frames, wall_seconds, energy_wh, credits)
       VALUES ($1, $2, $3, 2, 10, 1.5, 0.25, 4)`,
      [user.id, day, jobs],
    );

  it('is there as soon as a job has ended, for its owner only', async () => {
    const { user, ...job } = await buildJob(app);
    await jobEnd(app, job);
    const usage = await sdkOf(user).getUsage();
    const figures = {
      ...{ jobs: 1, attempts: 1, frames: 5, seconds: 60, cpu_seconds: 360, gpu_seconds: 0 },
      ...{ energy_wh: 1, carbon_footprint: 0.5, credits: 1 },
    };
    const today = usage.to;
    expect(usage).toMatchObject({ time_zone: 'UTC', total: figures, days: [{ day: today, ...figures }] });
    expect(Date.parse(usage.to) - Date.parse(usage.from)).toBe(29 * 86_400_000);
    const stranger = await buildUser(app);
    expect(await sdkOf(stranger).getUsage()).toMatchObject({ total: NOTHING, days: [], nextCursor: null });
  });

  it('is told by day, newest first, in pages; the sum is that of all days of the range', async () => {
    const user = await buildUser(app);
    for (const day of ['2026-02-28', '2026-03-01', '2026-03-02', '2026-03-05']) await addDay(user, day);
    const sdk = sdkOf(user);
    const range = { from: '2026-03-01', to: '2026-03-31', limit: 2 };
    const first = await sdk.getUsage(range);
    expect(first.days.map(({ day }) => day)).toEqual(['2026-03-05', '2026-03-02']);
    expect(first).toMatchObject({ from: '2026-03-01', to: '2026-03-31', total: { jobs: 3, energy_wh: 0.75 } });
    const second = await sdk.getUsage({ ...range, cursor: first.nextCursor ?? '' });
    expect(second.days.map(({ day }) => day)).toEqual(['2026-03-01']);
    expect(second).toMatchObject({ total: { jobs: 3, attempts: 6, frames: 30, credits: 12 }, nextCursor: null });
    // One end of the range is enough.
    expect(await sdk.getUsage({ to: '2026-03-01' })).toMatchObject({ from: '2026-01-31', total: { jobs: 2 } });
    expect((await sdk.getUsage({ from: '2026-03-02' })).total.jobs).toBe(2);
  });

  it('refuses days that are none, ranges that end before they begin, and cursors of other lists', async () => {
    const { api } = await buildUser(app);
    const refused = [
      ...['from=2026-02-30', 'to=yesterday', 'from=0000-01-01', 'to=0000-12-31', 'from=2026-03-02&to=2026-03-01'],
      ...['cursor=bm9uZQ', 'unknown=1'],
    ];
    for (const query of refused) expectProblem(await api.get(`/api/usage?${query}`), 'validation-failed');
    expectProblem(await app.client().get('/api/usage'), 'authentication-required');
  });

  it('is told from the first day of the calendar to its last', async () => {
    const sdk = sdkOf(await buildUser(app));
    const ranges = [{ from: '0001-01-01', to: '9999-12-31' }, { to: '0001-01-01' }, { from: '9999-12-31' }];
    for (const range of ranges) expect(await sdk.getUsage(range)).toMatchObject({ ...range, total: NOTHING });
  });

  it('is told of all users to administrators only', async () => {
    const user = await buildUser(app);
    const other = await buildUser(app);
    await addDay(user, '2025-06-01', 3);
    await addDay(user, '2025-06-02', 4);
    await addDay(other, '2025-06-02', 5);
    await addDay(other, '2025-07-01', 6);
    expectProblem(await user.api.get('/api/admin/usage'), 'forbidden');
    const admin = sdkOf(await buildAdmin(app));
    const range = { from: '2025-06-01', to: '2025-06-30', limit: 1 };
    const first = await admin.listUsage(range);
    const second = await admin.listUsage({ ...range, cursor: first.nextCursor ?? '' });
    expect(second.nextCursor).toBeNull();
    const found = [...first.users, ...second.users].map(({ user_id, email, jobs }) => [user_id, email, jobs]);
    const expected = [
      [user.id, user.email, 7],
      [other.id, other.email, 5],
    ];
    expect(found).toEqual(expected.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)));
    expect(await admin.listUsage({ from: '2024-01-01', to: '2024-01-02' })).toMatchObject({ users: [] });
  });

  it('stays cheap to tell with many users and days', async () => {
    await app.sql(
      `INSERT INTO users (id, email, password_hash)
       SELECT gen_random_uuid(), 'many-' || number || '@example.com', 'x' FROM generate_series(1, 500) AS number`,
    );
    await app.sql(
      `INSERT INTO usage_days (user_id, day, jobs, attempts)
       SELECT id, date '2020-01-01' + number, 1, 1
       FROM users CROSS JOIN generate_series(1, 200) AS number WHERE email LIKE 'many-%'`,
    );
    await app.sql('ANALYZE usage_days');
    const { usage } = app.container.infrastructure.repositories;
    const [{ id }] = await app.sql<{ id: string }>(`SELECT id FROM users WHERE email = 'many-7@example.com'`);
    const range = { from: '2020-03-01', to: '2020-03-30' };
    const plans = await plansOf(app.container.infrastructure.sequelize, async () => {
      expect((await usage.daysOf(id, range, { limit: 10 })).items).toHaveLength(10);
      expect((await usage.totalOf(id, range)).jobs).toBe(30);
      expect((await usage.ofUsers(range, { limit: 10 })).items).toHaveLength(10);
    });
    expect(plans).toHaveLength(3);
    expect(
      plans.flatMap(({ sequentialScans }) => sequentialScans.filter(({ table }) => table === 'usage_days')),
    ).toEqual([]);
    // A page of users is a walk over the days of eleven of them, not over 100,000 rows.
    for (const { buffers, sql } of plans) expect(buffers, sql).toBeLessThan(500);
  });
});
