import fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { EmbeddedPostgresError, codeOf, messageOf } from './embedded-postgres.errors.js';

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/**
 * Finds the PostgreSQL binaries of this platform among the installed packages and completes what the package's install
 * script would have done: npm archives hold no symbolic links, so the links between the libraries are made here. Safe to
 * call from several processes at once.
 *
 * @param packageFolder for tests: the unpacked platform package
 * @throws EmbeddedPostgresError when the platform has none, the package is not installed or its links cannot be made
 */
export async function locateBinaries(packageFolder: string = installedPackage()): Promise<PostgresBinaries> {
  await createLibraryLinks(packageFolder);
  const binaries = {
    initdb: path.join(packageFolder, 'native', 'bin', 'initdb'),
    postgres: path.join(packageFolder, 'native', 'bin', 'postgres'),
  };
  await Promise.all(Object.values(binaries).map(makeExecutable));
  return binaries;
}

function installedPackage(): string {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform === 'win32') {
    throw new EmbeddedPostgresError(
      'There is no embedded PostgreSQL on Windows; set DATABASE_URL to a PostgreSQL server.',
    );
  }
  const name = `@embedded-postgres/${platform}`;
  try {
    return path.resolve(path.dirname(createRequire(import.meta.url).resolve(name)), '..');
  } catch (cause) {
    throw new EmbeddedPostgresError(
      `The package ${name} with the PostgreSQL binaries is not installed; run "npm install" with optional dependencies, or set DATABASE_URL.`,
      { cause },
    );
  }
}

interface LibraryLink {
  /** The file that exists, relative to the package. */
  source: string;
  /** The link to make, relative to the package. */
  target: string;
}

async function createLibraryLinks(packageFolder: string): Promise<void> {
  for (const link of await readLinkList(packageFolder)) {
    const target = path.join(packageFolder, link.target);
    const toSource = path.relative(path.dirname(target), path.join(packageFolder, link.source));
    try {
      // Look first: on a read-only file system `symlink` may answer EROFS although the link is there.
      await fs.lstat(target);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      await createLink(toSource, target);
    }
  }
}

async function createLink(source: string, target: string): Promise<void> {
  try {
    await fs.symlink(source, target);
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return; // another process made the same link meanwhile
    throw new EmbeddedPostgresError(
      `The library link ${target} is missing and cannot be made (${codeOf(cause)}); start once as the owner of that folder.`,
      { cause },
    );
  }
}

async function readLinkList(packageFolder: string): Promise<LibraryLink[]> {
  const file = path.join(packageFolder, 'native', 'pg-symlinks.json');
  let text: string;
  try {
    text = await fs.readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []; // this platform's package needs no links
    throw error;
  }
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list) || !list.every(isLibraryLink)) {
    throw new EmbeddedPostgresError(`${file} is not a list of links; reinstall the dependencies.`);
  }
  return list;
}

function isLibraryLink(value: unknown): value is LibraryLink {
  if (typeof value !== 'object' || value === null) return false;
  return 'source' in value && typeof value.source === 'string' && 'target' in value && typeof value.target === 'string';
}

async function makeExecutable(file: string): Promise<void> {
  try {
    const { mode } = await fs.stat(file);
    if ((mode & 0o111) !== 0o111) await fs.chmod(file, 0o755);
  } catch (cause) {
    throw new EmbeddedPostgresError(`The PostgreSQL binary ${file} cannot be used: ${messageOf(cause)}`, { cause });
  }
}
