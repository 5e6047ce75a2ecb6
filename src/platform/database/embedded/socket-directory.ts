import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { EmbeddedPostgresError, codeOf } from './embedded-postgres.errors.js';
import type { Layout } from './layout.js';
import type { RunAs } from './run-as-user.js';

/** Only the number in the socket's file name; nothing listens on the network. */
export const POSTGRES_PORT = 5432;

/**
 * Prepares the folder (mode 0700, owned by the server's user) that holds the Unix socket: below the data directory, or
 * below the temp folder where that path would be too long for a socket address. Clears what a crashed server left in it;
 * the caller holds the launch lock and knows that no server runs.
 *
 * @throws EmbeddedPostgresError when somebody else owns the folder in the temp folder
 */
export async function prepareSocketDirectory(layout: Layout, runAs: RunAs): Promise<string> {
  const directory = fitsSocketAddress(layout.socket) ? layout.socket : temporaryDirectory(layout, runAs);
  try {
    await fs.mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  await takePossession(directory, runAs, directory !== layout.socket);
  for (const name of [`.s.PGSQL.${POSTGRES_PORT}`, `.s.PGSQL.${POSTGRES_PORT}.lock`]) {
    await fs.rm(path.join(directory, name), { force: true });
  }
  return directory;
}

/** Removes the folder when it lies outside the data directory. */
export async function discardSocketDirectory(directory: string, layout: Layout): Promise<void> {
  if (directory === layout.socket) return;
  try {
    await fs.rmdir(directory);
  } catch (error) {
    // Not empty after a hard kill: the next start clears and uses it again.
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTEMPTY') throw error;
  }
}

/** Whether the folder is a real one, of that owner, and closed to everybody else. */
export async function isPrivateDirectory(directory: string, uid: number): Promise<boolean> {
  try {
    const status = await fs.lstat(directory);
    return status.isDirectory() && status.uid === uid && (status.mode & 0o077) === 0;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** A socket address holds 104 bytes on macOS, 108 on Linux, of which `/.s.PGSQL.5432` and the end mark need 15. */
const LONGEST_DIRECTORY_BYTES = 88;

function fitsSocketAddress(directory: string): boolean {
  return Buffer.byteLength(directory) <= LONGEST_DIRECTORY_BYTES;
}

function temporaryDirectory(layout: Layout, runAs: RunAs): string {
  const digest = createHash('sha256').update(`${runAs.uid}:${layout.dataDir}`).digest('hex').slice(0, 16);
  const ownTemporary = path.join(os.tmpdir(), `infernode-${digest}`);
  // Another user may not be able to enter root's own temp folder.
  const usable = runAs.way !== 'user' && fitsSocketAddress(ownTemporary);
  return usable ? ownTemporary : path.join('/tmp', `infernode-${digest}`);
}

async function takePossession(directory: string, runAs: RunAs, isPublicPlace: boolean): Promise<void> {
  const status = await fs.lstat(directory);
  const ours = process.getuid?.() ?? 0;
  // In the temp folder anybody could have made it first, with a door left open or as a link to somewhere else.
  const isTrusted = status.isDirectory() && (status.uid === runAs.uid || status.uid === ours);
  if (!isTrusted || (isPublicPlace && (status.mode & 0o077) !== 0)) {
    throw new EmbeddedPostgresError(
      `The folder ${directory} for the database socket exists already and is not private to this user; remove it, or set DATA_DIR to a shorter path.`,
    );
  }
  if (status.uid !== runAs.uid) await fs.lchown(directory, runAs.uid, runAs.gid);
  if ((status.mode & 0o077) !== 0) await fs.chmod(directory, 0o700);
}
