import fs from 'node:fs/promises';
import path from 'node:path';
import { EmbeddedPostgresError, codeOf } from './embedded-postgres.errors.js';
import type { Layout } from './layout.js';
import type { PostgresBinaries } from './locate-binaries.js';
import { runCommand, type CommandOptions } from './run-command.js';

/** As whom, and how, the server's programs are started. */
export interface RunAs {
  /** Owner of the cluster and of the socket folder. */
  uid: number;
  gid: number;
  /**
   * `self`: this process is no administrator; `user`: root steps down to `uid`; `namespace`: root stays the owner of the
   * files, but the server sees itself as an ordinary user and has no power over the machine.
   */
  way: 'self' | 'user' | 'namespace';
  /** The kernel signals the program when this process dies (Linux with util-linux). */
  diesWithParent: boolean;
}

export interface Invocation {
  command: string;
  args: string[];
  user: { uid?: number; gid?: number };
}

/**
 * PostgreSQL refuses to run as root. Chooses the owner of an existing cluster, else the user `postgres`, else `nobody`,
 * whichever can reach the binaries and the data; where none can (a data directory below `/root`), a user namespace.
 *
 * @throws EmbeddedPostgresError that names the folder in the way and the remedy
 */
export async function chooseRunAs(layout: Layout, binaries: PostgresBinaries): Promise<RunAs> {
  const diesWithParent = await canDieWithParent();
  const self: RunAs = {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    way: 'self',
    diesWithParent,
  };
  if (self.uid !== 0) return self;

  const obstacles: string[] = [];
  for (const candidate of await candidateUsers(layout)) {
    const obstacle = await openTheWay(layout, binaries, candidate);
    if (obstacle === undefined) return { uid: candidate.uid, gid: candidate.gid, way: 'user', diesWithParent };
    obstacles.push(`the user "${candidate.name}" cannot enter ${obstacle}`);
  }

  const inNamespace: RunAs = { ...self, way: 'namespace' };
  if (await succeeds(invocationAs(inNamespace, binaries.postgres, ['--version'], 'SIGKILL'))) return inNamespace;

  if (obstacles.length === 0) {
    throw new EmbeddedPostgresError(
      'PostgreSQL does not run as root, and there is no user "postgres" or "nobody"; start as another user.',
    );
  }
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as root, and ${obstacles[0]}; start as another user, allow the passage with "chmod o+x", or set DATA_DIR to a folder elsewhere.`,
  );
}

/** Dresses a command so that it runs as chosen and, where possible, gets the signal when this process dies. */
export function invocationAs(
  runAs: RunAs,
  command: string,
  args: string[],
  parentDeathSignal: 'SIGINT' | 'SIGTERM' | 'SIGKILL',
): Invocation {
  let words = [command, ...args];
  // Innermost, because changing the user or the namespace may clear the request.
  if (runAs.diesWithParent) words = ['setpriv', '--pdeathsig', parentDeathSignal.slice('SIG'.length), ...words];
  if (runAs.way === 'namespace') words = [...NAMESPACE_COMMAND, ...words];
  const [first = command, ...rest] = words;
  return { command: first, args: rest, user: runAs.way === 'user' ? { uid: runAs.uid, gid: runAs.gid } : {} };
}

/** Makes a folder with what is in it belong to the server's user. Only root can, and only where it is needed. */
export async function handOver(folder: string, runAs: RunAs): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid } = await fs.lstat(folder);
  if (uid === runAs.uid) return;
  for (const entry of await fs.readdir(folder, { recursive: true })) {
    await fs.lchown(path.join(folder, entry), runAs.uid, runAs.gid);
  }
  // The folder itself last: it tells whether a hand-over was completed.
  await fs.lchown(folder, runAs.uid, runAs.gid);
}

/** Inside, the only user is number 1000, which outside is root: any number but 0 would do. */
const NAMESPACE_COMMAND = ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--'];
const PROBE: CommandOptions = { timeoutMs: 10_000 };

interface Candidate {
  name: string;
  uid: number;
  gid: number;
}

async function canDieWithParent(): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  return succeeds({ command: 'setpriv', args: ['--pdeathsig', 'INT', 'true'], user: {} });
}

async function candidateUsers(layout: Layout): Promise<Candidate[]> {
  const found = await Promise.all([ownerOf(layout.cluster), lookUp('postgres'), lookUp('nobody')]);
  return found.filter((candidate) => candidate !== undefined);
}

async function ownerOf(cluster: string): Promise<Candidate | undefined> {
  try {
    const { uid, gid } = await fs.lstat(cluster);
    return uid === 0 ? undefined : { name: `#${uid}`, uid, gid };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function lookUp(name: string): Promise<Candidate | undefined> {
  try {
    const uid = await runCommand('id', ['-u', name], PROBE);
    const gid = await runCommand('id', ['-g', name], PROBE);
    if (uid.code !== 0 || gid.code !== 0) return undefined;
    return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined; // an image without even `id`
    throw error;
  }
}

/**
 * Lets the user pass through our own two folders (through, not read: mode 0710) after making sure that everything above
 * them is passable.
 *
 * @returns the folder or file in the way, if any
 */
async function openTheWay(layout: Layout, binaries: PostgresBinaries, user: Candidate): Promise<string | undefined> {
  const outside = [...foldersDownTo(binaries.postgres), binaries.postgres, ...foldersDownTo(layout.dataDir)];
  const obstacle = await firstImpassable(outside, user);
  if (obstacle !== undefined) return obstacle;
  for (const folder of [layout.dataDir, layout.root]) {
    if ((await firstImpassable([folder], user)) !== undefined) await letGroupPass(folder, user.gid);
  }
  return firstImpassable([layout.dataDir, layout.root], user);
}

async function letGroupPass(folder: string, gid: number): Promise<void> {
  const status = await fs.stat(folder);
  const groupIsFree = (status.mode & 0o070) === 0;
  if (!groupIsFree && status.gid !== gid) return; // somebody gave the group a meaning
  await fs.chown(folder, status.uid, gid);
  await fs.chmod(folder, (status.mode & 0o7777) | 0o010);
}

/** Asked by really being that user, which covers access lists and mounts too. */
async function firstImpassable(paths: string[], { uid, gid }: Candidate): Promise<string | undefined> {
  const script = 'for step do [ -x "$step" ] || { printf %s "$step"; exit 1; }; done';
  const result = await runCommand('/bin/sh', ['-c', script, 'sh', ...paths], { ...PROBE, uid, gid });
  return result.code === 0 ? undefined : result.stdout || paths[0];
}

/** `/a/b/c` gives `/`, `/a`, `/a/b`. */
function foldersDownTo(target: string): string[] {
  const parent = path.dirname(target);
  return parent === target ? [] : [...foldersDownTo(parent), parent];
}

async function succeeds(invocation: Invocation): Promise<boolean> {
  try {
    const result = await runCommand(invocation.command, invocation.args, { ...PROBE, ...invocation.user });
    return result.code === 0;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false; // the helper program is not installed
    throw error;
  }
}
