import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  NOBODY,
  eventually,
  isRoot,
  kill,
  launchInChild,
  query,
  serversBelow,
  silentLogger,
} from '../../../../tests/support/embedded-postgres.js';
import { EmbeddedPostgresError, EmbeddedPostgresInUseError, PostgresVersionError } from './embedded-postgres.errors.js';
import { startEmbeddedPostgres, type EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres.js';

describe('startEmbeddedPostgres', () => {
  let base: string;
  const servers: EmbeddedPostgres[] = [];

  beforeEach(async () => {
    base = await fs.mkdtemp(path.join(os.tmpdir(), 'pg-'));
    await fs.chmod(base, 0o755);
  });

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    expect(await serversBelow(base)).toEqual([]);
    await fs.rm(base, { recursive: true, force: true });
  });

  async function start(dataDir: string, options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
    const server = await startEmbeddedPostgres({ dataDir, logger: silentLogger, ...options });
    servers.push(server);
    return server;
  }

  it('starts from nothing, durable and off the network, and keeps its data', async () => {
    const dataDir = path.join(base, 'data');
    const first = await start(dataDir, { settings: { work_mem: '7MB' } });
    expect(first.connection).toMatchObject({ username: 'infernode', database: 'infernode' });
    expect((await fs.stat(first.connection.host)).mode & 0o777).toBe(0o700);
    const settings = await query(
      first,
      "SELECT name, setting FROM pg_settings WHERE name = ANY('{fsync,listen_addresses,work_mem}')",
    );
    expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
      fsync: 'on',
      listen_addresses: '',
      work_mem: '7168',
    });
    await query(first, "CREATE TABLE kept AS SELECT 'été' AS word");
    await Promise.all([first.stop(), first.stop()]);
    await first.stop();
    expect(await serversBelow(base)).toEqual([]);

    const second = await start(dataDir);
    expect(await query(second, 'SELECT upper(word) AS word FROM kept')).toEqual([{ word: 'ÉTÉ' }]);
  });

  it('lets one of four simultaneous cold starts through, the others hear who it is', async () => {
    const starts = await Promise.allSettled(Array.from({ length: 4 }, () => start(base)));
    const refusals = starts.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    expect(refusals).toHaveLength(3);
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(EmbeddedPostgresInUseError);
    expect((refusals[0] as Error).message).toContain(`process ${process.pid} (database)`);
    expect(await query(servers[0], 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('clears a half-made cluster away and refuses a folder that is something else', async () => {
    const halfMade = path.join(base, 'postgres', 'pg.init-4711-abcdef');
    await fs.mkdir(path.join(halfMade, 'base'), { recursive: true });
    await fs.writeFile(path.join(halfMade, 'PG_VERSION'), '18\n');
    const server = await start(base);
    await server.stop();
    expect((await fs.readdir(path.join(base, 'postgres'))).sort()).toEqual([
      'launch.lock',
      'pg',
      'server.log',
      'socket',
    ]);

    const other = path.join(base, 'other', 'postgres', 'pg');
    await fs.mkdir(other, { recursive: true });
    await fs.writeFile(path.join(other, 'holiday.jpg'), '');
    await expect(start(path.join(base, 'other'))).rejects.toThrow(/not empty and not a PostgreSQL database/);
  });

  it('says which version wrote the data when it is another one', async () => {
    const cluster = path.join(base, 'postgres', 'pg');
    await fs.mkdir(cluster, { recursive: true });
    await fs.writeFile(path.join(cluster, 'PG_VERSION'), '17\n');
    const refusal = start(base);
    await expect(refusal).rejects.toThrow(PostgresVersionError);
    await expect(refusal).rejects.toThrow(/written by PostgreSQL 17, but PostgreSQL 18 is installed/);
  });

  it('works in a path with spaces, commas, quotes and letters of many alphabets', async () => {
    const server = await start(path.join(base, 'Mes données, "été"', '数据'));
    expect(await query(server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('puts the socket into a private temp folder when the path is too long, never into one of somebody else', async () => {
    const dataDir = path.join(base, 'd'.repeat(120));
    const server = await start(dataDir);
    const { host } = server.connection;
    expect(host.startsWith(base)).toBe(false);
    expect((await fs.stat(host)).mode & 0o777).toBe(0o700);
    await server.stop();
    await expect(fs.stat(host)).rejects.toThrow('ENOENT');

    await fs.mkdir(host, { mode: 0o755 });
    await expect(start(dataDir)).rejects.toThrow(/exists already and is not private/);
    await fs.rmdir(host);
    if (!isRoot) return;
    await fs.mkdir(host, { mode: 0o700 });
    await fs.chown(host, 4711, 4711);
    await expect(start(dataDir)).rejects.toThrow(/exists already and is not private/);
    await fs.rmdir(host);
  });

  it('tells when the server dies, and starts again', async () => {
    const server = await start(base);
    await query(server, 'CREATE TABLE kept AS SELECT 1 AS one');
    process.kill(server.pid, 'SIGKILL');
    const error = await server.died;
    expect(error.message).toMatch(/ended unexpectedly \(signal SIGKILL\)/);
    await server.stop();
    const next = await start(base);
    expect(await query(next, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it('leaves nothing behind when it is called off or runs out of time', async () => {
    const controller = new AbortController();
    const calledOff = start(base, { signal: controller.signal });
    await eventually('initdb is at work', async () =>
      (await fs.readdir(path.join(base, 'postgres')).catch(() => [])).some((name) => name.startsWith('pg.init-')),
    );
    controller.abort(new Error('not any more'));
    await expect(calledOff).rejects.toThrow('not any more');
    await expect(start(base, { startTimeoutMs: 30 })).rejects.toThrow(/not ready within 30 ms/);
    const entries = await fs.readdir(path.join(base, 'postgres'));
    expect(entries.filter((name) => name.startsWith('pg.init-'))).toEqual([]);
  });

  it('refuses settings that would open it or lose data, and says what the server did not like', async () => {
    await expect(start(base, { settings: { listen_addresses: '*' } })).rejects.toThrow(/cannot be set here/);
    await expect(start(base, { settings: { fsync: 'off' } })).rejects.toThrow(EmbeddedPostgresError);
    await expect(start(base, { settings: { max_connections: 'many' } })).rejects.toThrow(/max_connections/);
  });

  it.runIf(isRoot)('runs as an ordinary user too', async () => {
    const dataDir = path.join(base, 'data');
    await fs.mkdir(dataDir, { mode: 0o700 });
    await fs.chown(dataDir, NOBODY, NOBODY);
    const { child, report } = await launchInChild(dataDir, { uid: NOBODY });
    expect(report.error).toBeUndefined();
    expect((await fs.stat(`/proc/${report.pid}`)).uid).toBe(NOBODY);
    await query(report, 'CREATE TABLE kept AS SELECT 1 AS one');
    child.stdin?.end();
    await new Promise((resolve) => child.once('exit', resolve));

    // Started by root later on, it still runs as the owner of the data, so that user can go on with it.
    const server = await start(dataDir);
    expect((await fs.stat(`/proc/${server.pid}`)).uid).toBe(NOBODY);
    expect(await query(server, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it.runIf(isRoot)(
    'as root steps down and opens only the way through, not the view into, the data directory',
    async () => {
      const dataDir = path.join(base, 'data');
      await fs.mkdir(dataDir, { mode: 0o700 });
      const server = await start(dataDir);
      expect((await fs.stat(`/proc/${server.pid}`)).uid).not.toBe(0);
      for (const folder of [dataDir, path.join(dataDir, 'postgres')]) {
        const status = await fs.stat(folder);
        expect([status.uid, status.mode & 0o777]).toEqual([0, 0o710]);
      }
    },
  );

  it.runIf(isRoot)('below a folder that only root may enter it runs confined, or names that folder', async () => {
    const closed = path.join(base, 'closed');
    await fs.mkdir(closed, { mode: 0o700 });
    const outcome = await start(path.join(closed, 'data')).catch((error: unknown) => error);
    if (outcome instanceof Error) {
      expect(outcome).toBeInstanceOf(EmbeddedPostgresError);
      expect(outcome.message).toContain(`cannot enter ${closed}`);
      return;
    }
    expect(await query(outcome as EmbeddedPostgres, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await (outcome as EmbeddedPostgres).stop();
    expect((await fs.stat(closed)).mode & 0o777).toBe(0o700);
    // Once the way is open the server steps down to an ordinary user and takes its files along.
    await fs.chmod(closed, 0o711);
    const next = await start(path.join(closed, 'data'));
    expect((await fs.stat(`/proc/${next.pid}`)).uid).not.toBe(0);
  });

  it.runIf(isRoot)('names the folder and the remedy for a user who may not use it', async () => {
    const server = await start(base);
    await server.stop();
    const { child, report } = await launchInChild(base, { uid: NOBODY });
    expect(report.error).toBe('EmbeddedPostgresError');
    expect(report.message).toContain(path.join(base, 'postgres'));
    await kill(child);
  });
});
