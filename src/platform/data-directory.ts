import fs from 'node:fs/promises';
import path from 'node:path';
import { FileLockedError, describeHolder, lockFile, type FileLock, type LockHolder } from './file-lock.js';
import type { Logger } from './logging/logger.js';

/** The data directory cannot be used; the message names it and says what to do. */
export class DataDirectoryError extends Error {
  readonly path: string;

  constructor(directory: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.path = directory;
  }
}

/** A live process already works on this data directory. */
export class DataDirectoryInUseError extends DataDirectoryError {
  readonly holder: LockHolder | undefined;

  constructor(directory: string, holder: LockHolder | undefined) {
    super(directory, `The data directory ${directory} is in use by ${describeHolder(holder)}.`);
    this.holder = holder;
  }
}

export interface DataDirectory {
  /** Absolute, with symbolic links resolved, so that two spellings of one folder are one path. */
  path: string;
  /** Lets the next process in; calling it again does nothing. */
  release(): Promise<void>;
}

/**
 * Creates the data directory (mode 0700) if needed and takes it for this process: one live owner at a time. The claim
 * ends with the process, also after `kill -9`.
 *
 * @param dataDir absolute, or relative to the working directory
 * @param options.owner role of this process, shown to whoever comes second
 * @throws DataDirectoryInUseError when another live process has it
 * @throws DataDirectoryError when it is a file, or may not be written
 */
export async function acquireDataDirectory(
  dataDir: string,
  options: { logger?: Logger; owner: string },
): Promise<DataDirectory> {
  const directory = await createDirectory(path.resolve(dataDir));
  const lock = await takeLock(directory, options.owner);
  options.logger?.debug('data directory taken', { path: directory, owner: options.owner });
  return { path: directory, release: () => lock.release() };
}

const LOCK_FILE = 'infernode.lock';

async function createDirectory(directory: string): Promise<string> {
  try {
    await fs.mkdir(directory, { recursive: true, mode: 0o700 });
    await fs.access(directory, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
    return await fs.realpath(directory);
  } catch (error) {
    throw toDataDirectoryError(directory, error);
  }
}

async function takeLock(directory: string, owner: string): Promise<FileLock> {
  try {
    return await lockFile(path.join(directory, LOCK_FILE), owner);
  } catch (error) {
    if (error instanceof FileLockedError) throw new DataDirectoryInUseError(directory, error.holder);
    throw toDataDirectoryError(directory, error);
  }
}

function toDataDirectoryError(directory: string, cause: unknown): DataDirectoryError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return new DataDirectoryError(directory, explain(directory, code, cause), { cause });
}

function explain(directory: string, code: unknown, cause: unknown): string {
  switch (code) {
    case 'EEXIST':
    case 'ENOTDIR':
      return `The data directory ${directory} is a file, or lies below one; set DATA_DIR to a folder.`;
    case 'EACCES':
    case 'EPERM':
      return `The data directory ${directory} is not writable for this user; change its owner or set DATA_DIR to another folder.`;
    case 'EROFS':
      return `The data directory ${directory} is on a read-only file system; set DATA_DIR to another folder.`;
    case 'ENOSPC':
      return `The disk of the data directory ${directory} is full.`;
    default:
      return `The data directory ${directory} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}
