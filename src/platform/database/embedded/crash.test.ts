import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  eventually,
  kill,
  launchInChild,
  query,
  serversBelow,
  silentLogger,
  type Launcher,
} from '../../../../tests/support/embedded-postgres.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.js';

// Looks at processes through /proc.
const onLinux = process.platform === 'linux';

describe.runIf(onLinux)('the embedded server after a crash', () => {
  let base: string;
  let servers: EmbeddedPostgres[];
  let children: ChildProcess[];

  beforeEach(async () => {
    base = await fs.mkdtemp(path.join(os.tmpdir(), 'pg-'));
    await fs.chmod(base, 0o755);
    servers = [];
    children = [];
  });

  afterEach(async () => {
    await Promise.all(children.map((child) => kill(child)));
    await Promise.all(servers.map((server) => server.stop()));
    await eventually('no server is left', async () => (await serversBelow(base)).length === 0);
    await fs.rm(base, { recursive: true, force: true });
  });

  async function start(): Promise<EmbeddedPostgres> {
    const server = await startEmbeddedPostgres({ dataDir: base, logger: silentLogger });
    servers.push(server);
    return server;
  }

  async function launch(options: Parameters<typeof launchInChild>[1] = {}): Promise<Launcher> {
    const launcher = await launchInChild(base, options);
    children.push(launcher.child);
    return launcher;
  }

  it('ends by itself when its parent is killed, and the next start has the data', async () => {
    const { child, report } = await launch();
    await query(report, 'CREATE TABLE kept AS SELECT 1 AS one');
    await kill(child);
    await eventually('the server follows its parent', async () => (await serversBelow(base)).length === 0);
    const next = await start();
    expect(await query(next, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it('can be started at the very moment its parent is killed', async () => {
    for (let round = 0; round < 2; round++) {
      const { child, report } = await launch();
      await query(report, 'CREATE TABLE IF NOT EXISTS kept (round int)');
      await query(report, `INSERT INTO kept VALUES (${round})`);
      await kill(child);
      const next = await start();
      expect(await query(next, 'SELECT max(round) AS round FROM kept')).toEqual([{ round }]);
      expect(await serversBelow(base)).toEqual([next.pid]);
      await next.stop();
    }
  });

  it('is taken over where the system cannot end it with its parent', async () => {
    const { child, report } = await launch({ path: await pathWithoutSetpriv() });
    await query(report, 'CREATE TABLE kept AS SELECT 1 AS one');
    await kill(child);
    expect(await serversBelow(base)).toEqual([report.pid]);
    const next = await start();
    expect(await serversBelow(base)).toEqual([next.pid]);
    expect(next.pid).not.toBe(report.pid);
    expect(await query(next, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it('is not held up by a process that got the old number, nor by a zombie', async () => {
    const server = await start();
    await server.stop();
    const { uid, gid } = await fs.stat(path.join(base, 'postgres', 'pg'));
    const user = process.getuid?.() === 0 ? { uid, gid } : {};
    // The shell becomes `sleep`, which never takes notice of the end of the child it got from the shell: a zombie.
    const host = spawn('/bin/sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 600'], {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'ignore'],
      ...user,
    });
    children.push(host);
    const zombie = Number(
      await new Promise<string>((resolve) => host.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))),
    );
    await eventually('a zombie', async () => / Z /.test(await fs.readFile(`/proc/${zombie}/stat`, 'utf8')));

    for (const pid of [host.pid, zombie]) {
      const file = path.join(base, 'postgres', 'pg', 'postmaster.pid');
      await fs.writeFile(file, `${pid}\n${path.dirname(file)}\n1700000000\n5432\n\n\n        0         0\nready   \n`);
      if (user.uid !== undefined) await fs.chown(file, uid, gid);
      const next = await start();
      expect(next.pid).not.toBe(pid);
      expect(await query(next, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      await next.stop();
    }
    expect(host.exitCode).toBeNull();
  });

  it('comes back when it was killed together with its parent', async () => {
    const { child, report } = await launch();
    await query(report, 'CREATE TABLE kept AS SELECT 1 AS one');
    process.kill(report.pid ?? 0, 'SIGKILL');
    await kill(child);
    const next = await start();
    expect(await query(next, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
  });

  it('is not disturbed by Ctrl-C, which reaches the whole foreground group', async () => {
    const { report } = await launch();
    const stat = await fs.readFile(`/proc/${report.pid}/stat`, 'utf8');
    const [, , group, session] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    expect([group, session]).toEqual([report.pid, report.pid]);
  });

  async function pathWithoutSetpriv(): Promise<string> {
    const tools = path.join(base, 'tools');
    await fs.mkdir(tools);
    for (const tool of ['flock', 'id']) await fs.symlink(`/usr/bin/${tool}`, path.join(tools, tool));
    return tools;
  }
});

describe.runIf(onLinux)('connectOrStartEmbeddedPostgres', () => {
  it('of four processes on a new data directory starts one server, and the others use it', async () => {
    const base = await fs.mkdtemp(path.join(os.tmpdir(), 'pg-'));
    await fs.chmod(base, 0o755);
    const launchers = await Promise.all(Array.from({ length: 4 }, () => launchInChild(base, { attach: true })));
    try {
      expect(launchers.map(({ report }) => report.error)).toEqual([undefined, undefined, undefined, undefined]);
      expect(launchers.filter(({ report }) => report.started)).toHaveLength(1);
      expect(await serversBelow(base)).toHaveLength(1);
      for (const { report } of launchers) expect(await query(report, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);

      // Those who only use it leave it running; it ends with the one who started it.
      const users = launchers.filter(({ report }) => !report.started);
      for (const { child } of users) await endOfInput(child);
      expect(await serversBelow(base)).toHaveLength(1);
    } finally {
      await Promise.all(launchers.map(({ child }) => kill(child, 'SIGTERM')));
      await eventually('no server is left', async () => (await serversBelow(base)).length === 0);
      await fs.rm(base, { recursive: true, force: true });
    }
  });

  async function endOfInput(child: ChildProcess): Promise<void> {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end();
    await gone;
  }
});
