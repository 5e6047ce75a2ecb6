import pg from 'pg';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildJob } from '../support/build.js';
import { attemptsOf, bookingsOf, jobEnd, jobRow, statusesOf } from '../support/jobs.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { storedFiles } from '../support/stored-files.js';
import { until } from '../support/wait.js';

const PRICED = { INFERENCE_FRAMES_PER_CREDIT: '5' };

describe('jobs whose database has trouble', () => {
  const apps: App[] = [];
  const cleanUps: (() => Promise<void>)[] = [];
  const start = async (...options: Parameters<typeof startApp>): Promise<App> => {
    const app = await startApp(...options);
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0)) await cleanUp();
    if (apps.length > 0) await expectLedgersToBalance(apps[0]);
    for (const app of apps.splice(0).reverse()) await app.stop();
  });

  /** A transaction of somebody else on the app's database; open until the test ends it. */
  async function openTransaction(app: App): Promise<pg.Client> {
    const { host, port, username, password } = inject('databaseServer');
    const [{ database }] = await app.sql<{ database: string }>('SELECT current_database() AS database');
    const client = new pg.Client({ host, port, user: username, database, ...(password ? { password } : {}) });
    client.on('error', () => undefined);
    await client.connect();
    cleanUps.push(() => client.end());
    await client.query('BEGIN');
    return client;
  }

  it('keeps its claim while somebody holds the row of its owner for longer than a lease', async () => {
    const runner = createScriptedRunner({ behaviour: { msPerFrame: 1_000 } });
    const app = await start({ runner, settings: PRICED });
    const { id, user } = await buildJob(app);
    await until(async () => (await jobRow(app, id)).status === 'RUNNING');
    const holder = await openTransaction(app);
    await holder.query('SELECT 1 FROM users WHERE id = $1 FOR UPDATE', [user.id]);
    await holder.query('SELECT pg_sleep(6)');
    await holder.query('COMMIT');
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    expect(runner.begun).toHaveLength(1);
    expect(await statusesOf(app, id)).toEqual(['PENDING', 'RUNNING', 'COMPLETED']);
    const all = await app.sql<{ status: string }>(
      `SELECT data->>'status' AS status FROM events WHERE subject_id = $1 ORDER BY seq`,
      [id],
    );
    expect(all.at(-1)?.status).toBe('COMPLETED');
  });

  it.each(['before', 'after'] as const)('keeps a result when the connection breaks %s the commit', async (when) => {
    const app = await start({ settings: PRICED, parts: ['http', 'scheduler'] });
    const { uow } = app.container.infrastructure;
    const { id } = await buildJob(app);
    let left = 2;
    const run = uow.run.bind(uow);
    // Breaks the transactions that complete the job, and those only: the claim is the first.
    let transactions = 0;
    uow.run = async (...parameters) => {
      const breaks = ++transactions > 1 && left > 0;
      if (breaks) left--;
      if (breaks && when === 'before') throw new Error('Connection terminated unexpectedly');
      const value = await run(...(parameters as Parameters<typeof run>));
      if (breaks) throw new Error('Connection terminated unexpectedly');
      return value as never;
    };
    cleanUps.push(() => {
      uow.run = run;
      return Promise.resolve();
    });
    await app.container.services.execution.execute(id, new AbortController().signal);
    uow.run = run;
    expect(await jobEnd(app, { id })).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    expect(left).toBe(0);
    expect((await storedFiles(app)).results).toHaveLength(1);
    expect(await bookingsOf(app, id)).toEqual(['inference-hold -1', 'inference-capture 0']);
  });

  it('takes back the other jobs of silent workers although one cannot be settled', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const jobs = [await buildJob(app), await buildJob(app), await buildJob(app)];
    for (const [age, { id }] of jobs.entries()) {
      await app.container.infrastructure.repositories.jobs.claim(id, 'gone', 1);
      await app.sql('UPDATE inference_jobs SET lease_expires_at = now() - make_interval(mins => $2) WHERE id = $1', [
        id,
        10 - age,
      ]);
    }
    await app.sql(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
      CREATE TRIGGER refuse BEFORE UPDATE ON inference_jobs FOR EACH ROW
        WHEN (OLD.id = '${jobs[0].id}') EXECUTE FUNCTION refuse();
    `);
    await app.container.services.recovery.recoverLost();
    const states = await Promise.all(jobs.map(async ({ id }) => (await jobRow(app, id)).status));
    expect(states).toEqual(['RUNNING', 'PENDING', 'PENDING']);
  });

  it('gives workers a lease to renew after an outage before silence counts against them', async () => {
    const app = await start({ parts: ['http'], settings: PRICED });
    const { id } = await buildJob(app);
    const { repositories } = app.container.infrastructure;
    await repositories.jobs.claim(id, 'held up', 1);
    await app.sql(`UPDATE inference_jobs SET lease_expires_at = now() - interval '1 s' WHERE id = $1`, [id]);
    const { recovery } = app.container.services;
    const ask = repositories.jobs.expiredClaims.bind(repositories.jobs);
    repositories.jobs.expiredClaims = () => Promise.reject(new Error('Connection terminated unexpectedly'));
    await expect(recovery.recoverLost()).rejects.toThrow('Connection terminated');
    repositories.jobs.expiredClaims = ask;
    await recovery.recoverLost();
    expect(await jobRow(app, id)).toMatchObject({ status: 'RUNNING' });
    await until(
      async () => {
        await recovery.recoverLost();
        return (await attemptsOf(app, id))[0].outcome === 'LOST';
      },
      { what: 'the loss of an attempt that stayed silent' },
    );
  });
});
