import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** Who holds a lock, as written into the lock file by the holder. */
export interface LockHolder {
  pid: number;
  /** What the holding process is, e.g. `all`, `worker`. */
  role: string;
  /** ISO 8601, UTC. */
  since: string;
  host: string;
}

export interface FileLock {
  /** Gives the lock back; calling it again does nothing. The file itself stays, empty. */
  release(): Promise<void>;
}

/** Another live process (or another part of this one) holds the lock. */
export class FileLockedError extends Error {
  /** `undefined` when the holder has not written its record yet, or it cannot be read. */
  readonly holder: LockHolder | undefined;

  constructor(path: string, holder: LockHolder | undefined) {
    super(`${path} is locked by ${describeHolder(holder)}`);
    this.name = new.target.name;
    this.holder = holder;
  }
}

/**
 * Takes an exclusive lock on a file without waiting. The kernel holds the lock, not the file's content, so it ends with
 * the process however that dies, a reused process id cannot block anybody, and of two takers exactly one wins.
 *
 * @param path the lock file; created with mode 0600 when missing, never removed (removing it would let two takers lock
 *   two different files of the same name)
 * @param role written into the file for the message that others get
 * @throws FileLockedError when somebody else holds it; the file system's error when the file cannot be opened
 */
export async function lockFile(path: string, role: string): Promise<FileLock> {
  // A bare descriptor, not a FileHandle: that one would be closed, and the lock lost, by the garbage collector.
  const descriptor = openLockFile(path);
  let closeGuard: (() => Promise<void>) | undefined;
  try {
    if (descriptor === 'locked') throw new FileLockedError(path, await readHolder(path));
    const locked = lockedByOpening || (await lockDescriptor(descriptor));
    if (locked === 'no-flock-command') closeGuard = await listenOnNameOf(descriptor);
    if (!locked || (locked === 'no-flock-command' && !closeGuard)) {
      throw new FileLockedError(path, await readHolder(path));
    }
    writeHolder(descriptor, { pid: process.pid, role, since: new Date().toISOString(), host: os.hostname() });
  } catch (error) {
    if (descriptor !== 'locked') fs.closeSync(descriptor);
    await closeGuard?.();
    throw error;
  }

  let released: Promise<void> | undefined;
  return {
    release: () => {
      released ??= (async () => {
        fs.ftruncateSync(descriptor, 0);
        fs.closeSync(descriptor);
        await closeGuard?.();
      })();
      return released;
    },
  };
}

/** One line for people: process id, role, since when, host. */
export function describeHolder(holder: LockHolder | undefined): string {
  if (!holder) return 'another process';
  return `process ${holder.pid} (${holder.role}) on ${holder.host} since ${holder.since}`;
}

/** macOS and the BSDs lock in the very call that opens. */
const lockedByOpening = ['darwin', 'freebsd', 'openbsd'].includes(process.platform);
const O_EXLOCK = 0x20;
const NO_WAIT_EXCLUSIVE = ['-n', '-x', '3'];

function openLockFile(path: string): number | 'locked' {
  const { O_RDWR, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants;
  const flags = O_RDWR | O_CREAT | O_NOFOLLOW | (lockedByOpening ? O_EXLOCK | O_NONBLOCK : 0);
  try {
    return fs.openSync(path, flags, 0o600);
  } catch (error) {
    if (lockedByOpening && errorCode(error) === 'EAGAIN') return 'locked';
    throw error;
  }
}

/**
 * Linux: Node has no `flock`, but such a lock belongs to the open file, which a child shares. The `flock` command locks
 * the inherited descriptor and ends; the lock stays with ours.
 */
function lockDescriptor(descriptor: number): Promise<boolean | 'no-flock-command'> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', NO_WAIT_EXCLUSIVE, {
      stdio: ['ignore', 'ignore', 'pipe', descriptor],
      timeout: 10_000,
      killSignal: 'SIGKILL',
    });
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    child.on('error', (error) => {
      if (errorCode(error) === 'ENOENT') resolve('no-flock-command');
      else reject(error);
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(true);
      else if (code === 1 && complaint === '') resolve(false);
      else reject(new Error(`flock failed (${code ?? signal}): ${complaint.trim()}`));
    });
  });
}

/**
 * Where there is no `flock` command (distroless images, Windows): a listening name derived from the file's identity.
 * It ends with the process too, but is seen only inside one container, therefore second choice.
 *
 * @returns undefined when the name is taken
 */
function listenOnNameOf(descriptor: number): Promise<(() => Promise<void>) | undefined> {
  const { dev, ino } = fs.fstatSync(descriptor);
  const prefix = process.platform === 'win32' ? '\\\\.\\pipe\\' : '\0';
  const server = net.createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (errorCode(error) === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`${prefix}infernode-lock-${dev}-${ino}`, () => {
      server.unref();
      resolve(() => new Promise((closed) => server.close(() => closed())));
    });
  });
}

function writeHolder(descriptor: number, holder: LockHolder): void {
  fs.ftruncateSync(descriptor, 0);
  fs.writeSync(descriptor, `${JSON.stringify(holder)}\n`, 0);
}

/** The winner needs a moment between taking the lock and writing its name. */
async function readHolder(path: string): Promise<LockHolder | undefined> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const holder = parseHolder(fs.readFileSync(path, 'utf8'));
    if (holder) return holder;
    await delay(20);
  }
  return undefined;
}

function parseHolder(text: string): LockHolder | undefined {
  const match = /^\{.*\}\n$/.exec(text);
  if (!match) return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, role, since, host } = value as Partial<Record<keyof LockHolder, unknown>>;
  if (typeof pid !== 'number' || typeof role !== 'string') return undefined;
  return { pid, role, since: String(since), host: String(host) };
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
