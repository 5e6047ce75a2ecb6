import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';

import { ZipFile } from 'yazl';

import { RunnerStorageError } from '../runner.errors.js';

/** Takes pictures, one at a time. */
export interface PictureSink {
  /** Adds an entry that is compressed already (a JPEG). Resolves when the entry's bytes were taken. */
  addStored(name: string, content: Uint8Array): Promise<void>;
}

/** A ZIP under construction. Entries are written one at a time; nothing is kept in memory once it is on its way. */
export interface ResultArchive extends PictureSink {
  /** Adds a text made of pieces, compressed on the way. */
  addText(name: string, pieces: Iterable<string>): Promise<void>;
  /** Completes the ZIP, forces it to the disk and gives it its final name. */
  finish(): Promise<void>;
  /** Gives up: removes what was written. Harmless after `finish`. */
  discard(): Promise<void>;
}

const UNFINISHED = '.part';

/** Paths of the archive, as far as it is there, and of all unfinished ones whose names begin with its own. */
export async function archiveLeftovers(archivePath: string): Promise<string[]> {
  const { dir, base } = parse(archivePath);
  const names = await readdir(dir);
  return names
    .filter((name) => name === base || (name.startsWith(base) && name.endsWith(UNFINISHED)))
    .map((name) => join(dir, name));
}

/**
 * Opens a ZIP that appears at `archivePath` complete or not at all.
 *
 * @throws RunnerStorageError from every operation when the disk refuses
 */
export async function openResultArchive(archivePath: string): Promise<ResultArchive> {
  const partPath = `${archivePath}${UNFINISHED}`;
  const zip = new ZipFile();
  const disk = createWriteStream(partPath);
  const written = pipeline(zip.outputStream, disk);
  const { orFailure, fail } = failureWatch();
  zip.once('error', fail);
  written.catch(fail);
  await orFailure(once(disk, 'open'));

  const add = async (name: string, compress: boolean, begin: () => Readable) => {
    const taken = new Promise<void>((resolve, reject) => {
      // The lazy form: yazl keeps every entry until the end, so an entry must not hold on to its content.
      zip.addReadStreamLazy(name, { compress }, (handOver) => {
        const content = begin();
        finished(content).then(resolve, reject);
        handOver(null, content);
      });
    });
    await orFailure(taken);
  };

  return {
    addStored(name, content) {
      let held: Uint8Array | null = content;
      return add(name, false, () => {
        const stream = Readable.from(held === null ? [] : [held]);
        held = null;
        return stream;
      });
    },
    addText: (name, pieces) => add(name, true, () => Readable.from(encoded(pieces))),
    async finish() {
      zip.end();
      await orFailure(written);
      await forceToDisk(partPath).catch(rethrowAsStorageError);
      await rename(partPath, archivePath).catch(rethrowAsStorageError);
    },
    async discard() {
      disk.destroy();
      await written.catch(() => undefined); // a broken pipe is what giving up looks like
      await rm(partPath, { force: true });
    },
  };
}

/** Lets one waiter at a time hear of a failure elsewhere: a full disk shows at the file, not at the entry being added. */
function failureWatch() {
  let failure: { error: unknown } | null = null;
  let rejectWaiter: (error: unknown) => void = () => undefined;
  return {
    fail(error: unknown) {
      failure ??= { error };
      rejectWaiter(error);
    },
    orFailure<T>(work: Promise<T>): Promise<T> {
      const outcome = new Promise<T>((resolve, reject) => {
        rejectWaiter = reject;
        work.then(resolve, reject);
        if (failure !== null) reject(failure.error);
      });
      return outcome.catch(rethrowAsStorageError);
    },
  };
}

async function forceToDisk(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function* encoded(pieces: Iterable<string>): Generator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece, 'utf8');
}

function rethrowAsStorageError(error: unknown): never {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : 'the disk refused a write';
  throw new RunnerStorageError(`The result archive could not be written (${reason}).`, {
    cause: error,
  });
}
