import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataDirectoryError, DataDirectoryInUseError, acquireDataDirectory } from './data-directory.js';

const moduleUrl = new URL('./data-directory.ts', import.meta.url).href;
const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

/** Takes the directory, says so in one line and stays until it is killed or its standard input ends. */
const holderSource = `
  import { acquireDataDirectory } from ${JSON.stringify(moduleUrl)};
  const directory = process.argv.at(-1);
  try {
    await acquireDataDirectory(directory, { owner: 'test-holder' });
    console.log('held ' + process.pid);
    process.stdin.resume();
    process.stdin.on('end', () => process.exit(0));
  } catch (error) {
    console.log(error.name + ': ' + error.message);
  }
`;

describe('acquireDataDirectory', () => {
  let base: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    base = await fs.mkdtemp(path.join(os.tmpdir(), 'data-directory-'));
    await fs.chmod(base, 0o755);
  });

  afterEach(async () => {
    await Promise.all(children.splice(0).map(kill));
    await fs.rm(base, { recursive: true, force: true });
  });

  function start(
    directory: string,
    options: { uid?: number; gid?: number; env?: NodeJS.ProcessEnv } = {},
  ): Promise<[ChildProcess, string]> {
    const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', holderSource, '--', directory];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], ...options });
    children.push(child);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.stdout.once('data', (chunk: Buffer) => resolve([child, chunk.toString().trim()]));
      child.on('exit', () => reject(new Error('the child said nothing')));
    });
  }

  it('creates the folder for its owner only and lets the next one in after release', async () => {
    const directory = path.join(base, 'new', 'data');
    const first = await acquireDataDirectory(directory, { owner: 'all' });
    expect((await fs.stat(first.path)).mode & 0o777).toBe(0o700);
    await first.release();
    await first.release();
    const second = await acquireDataDirectory(directory, { owner: 'all' });
    await second.release();
  });

  it('tells the second start who has it, in one line', async () => {
    const first = await acquireDataDirectory(base, { owner: 'all' });
    const refusal = await acquireDataDirectory(base, { owner: 'worker' }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DataDirectoryInUseError);
    const { message } = refusal as DataDirectoryInUseError;
    expect(message).toContain(`process ${process.pid} (all) on ${os.hostname()} since 20`);
    expect(message).not.toContain('\n');
    await first.release();
  });

  it('lets exactly one of eight simultaneous processes in', async () => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => start(base)));
    const lines = outcomes.map(([, line]) => line);
    expect(lines.filter((line) => line.startsWith('held '))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('DataDirectoryInUseError'))).toHaveLength(7);
  });

  it('is free at once after kill -9 of the owner', async () => {
    const [child, line] = await start(base);
    expect(line).toBe(`held ${child.pid}`);
    await expect(acquireDataDirectory(base, { owner: 'all' })).rejects.toThrow(`process ${child.pid} (test-holder)`);
    await kill(child);
    const next = await acquireDataDirectory(base, { owner: 'all' });
    await next.release();
  });

  it('keeps the second one out where there is no flock command, and is free after kill -9', async () => {
    const withoutFlock = { env: { ...process.env, PATH: base } };
    const [child, first] = await start(base, withoutFlock);
    expect(first).toBe(`held ${child.pid}`);
    const [, second] = await start(base, withoutFlock);
    expect(second).toContain(`in use by process ${child.pid} (test-holder)`);
    await kill(child);
    const [third, line] = await start(base, withoutFlock);
    expect(line).toBe(`held ${third.pid}`);
  });

  it('is not blocked by a record that names a live process', async () => {
    const record = { pid: process.pid, role: 'all', since: new Date().toISOString(), host: os.hostname() };
    await fs.writeFile(path.join(base, 'infernode.lock'), `${JSON.stringify(record)}\n`);
    const next = await acquireDataDirectory(base, { owner: 'all' });
    await next.release();
  });

  it('says so when the path is a file, or below one', async () => {
    const file = path.join(base, 'file');
    await fs.writeFile(file, '');
    await expect(acquireDataDirectory(file, { owner: 'all' })).rejects.toThrow(DataDirectoryError);
    await expect(acquireDataDirectory(file, { owner: 'all' })).rejects.toThrow(/is a file/);
    await expect(acquireDataDirectory(path.join(file, 'x'), { owner: 'all' })).rejects.toThrow(/below one/);
  });

  it('says so when the folder is not writable', async () => {
    const readOnly = path.join(base, 'read-only');
    await fs.mkdir(readOnly, { mode: 0o555 });
    const [, line] = await start(readOnly, isRoot ? { uid: NOBODY, gid: NOBODY } : {});
    expect(line).toMatch(/^DataDirectoryError: The data directory .*read-only is not writable for this user/);
  });
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
