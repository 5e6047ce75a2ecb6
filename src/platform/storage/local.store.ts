import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { Transform, type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  ObjectMissingError,
  ObjectTooLargeError,
  StorageFullError,
  type ByteRange,
  type LocalFile,
  type ObjectStore,
  type PartialFile,
  type ScratchFile,
  type StagedObject,
  type StageOptions,
  type StoredObject,
} from './object-store.port.js';

const KEY = /^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*$/;

/**
 * The object store on a local disk: `objects/<key>`, `staging/` on the same file system so that commit is a rename, and
 * `partials/<id>` for what arrives in several requests.
 */
export class LocalObjectStore implements ObjectStore {
  private readonly objects: string;
  private readonly staging: string;
  private readonly partials: string;

  private constructor(root: string) {
    this.objects = path.join(root, 'objects');
    this.staging = path.join(root, 'staging');
    this.partials = path.join(root, 'partials');
  }

  static async open(root: string): Promise<LocalObjectStore> {
    const store = new LocalObjectStore(root);
    await mkdir(store.objects, { recursive: true, mode: 0o700 });
    await mkdir(store.staging, { recursive: true, mode: 0o700 });
    await mkdir(store.partials, { recursive: true, mode: 0o700 });
    return store;
  }

  async stage(source: Readable, { signal, maxBytes }: StageOptions): Promise<StagedObject> {
    const file = path.join(this.staging, randomUUID());
    const meter = new Meter(maxBytes);
    try {
      await pipeline(source, meter, createWriteStream(file, { flags: 'wx', mode: 0o600 }), { signal });
    } catch (error) {
      await rm(file, { force: true });
      throw storageError(signal.aborted ? (signal.reason ?? error) : error);
    }
    return this.staged(file, meter);
  }

  scratch(extension: string): Promise<ScratchFile> {
    const file = path.join(this.staging, `${randomUUID()}${extension}`);
    return Promise.resolve({
      path: file,
      stage: async () => {
        const meter = new Meter(Number.MAX_SAFE_INTEGER);
        await pipeline(createReadStream(file), meter, discardingSink());
        return this.staged(file, meter);
      },
      discard: async () => {
        const ofIt = (await readdir(this.staging)).filter((name) => name.startsWith(path.basename(file)));
        for (const name of ofIt) await rm(path.join(this.staging, name), { force: true });
      },
    });
  }

  async stat(key: string): Promise<StoredObject | null> {
    const found = await statOrNull(this.pathOf(key));
    return found === null ? null : { key, bytes: found.size, modifiedAt: found.mtime };
  }

  async read(key: string, range?: ByteRange): Promise<{ stream: Readable; bytes: number }> {
    const handle = await this.missingIsTyped(key, () => open(this.pathOf(key), 'r'));
    const { size } = await handle.stat();
    return { stream: handle.createReadStream({ ...range }), bytes: size };
  }

  async localFile(key: string, signal: AbortSignal): Promise<LocalFile> {
    signal.throwIfAborted();
    await this.missingIsTyped(key, () => stat(this.pathOf(key)));
    return { path: this.pathOf(key), release: () => Promise.resolve() };
  }

  async delete(key: string): Promise<void> {
    await rm(this.pathOf(key), { force: true });
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const entries = await readdir(this.objects, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const file = path.join(entry.parentPath, entry.name);
      const key = path.relative(this.objects, file).split(path.sep).join('/');
      if (!key.startsWith(prefix)) continue;
      const found = await statOrNull(file);
      if (found !== null) yield { key, bytes: found.size, modifiedAt: found.mtime };
    }
  }

  partial(id: string): PartialFile {
    if (!KEY.test(id) || id.includes('/')) throw new TypeError(`"${id}" is not the id of a partial file`);
    const file = path.join(this.partials, id);
    return {
      size: async () => (await statOrNull(file))?.size ?? 0,
      append: (source, offset) => appendTo(file, source, offset),
      read: () => createReadStream(file),
      discard: () => rm(file, { force: true }),
    };
  }

  async *listPartials(): AsyncIterable<StoredObject> {
    for (const key of await readdir(this.partials)) {
      const found = await statOrNull(path.join(this.partials, key));
      if (found !== null) yield { key, bytes: found.size, modifiedAt: found.mtime };
    }
  }

  async sweepStaging(before: Date): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.staging)) {
      const file = path.join(this.staging, name);
      const found = await statOrNull(file);
      if (found === null || found.mtime >= before) continue;
      await rm(file, { force: true, recursive: true });
      removed++;
    }
    return removed;
  }

  private staged(file: string, meter: Meter): StagedObject {
    return {
      path: file,
      bytes: meter.bytes,
      sha256: meter.digest(),
      commit: (key) => this.commit(file, key),
      discard: () => rm(file, { force: true }),
    };
  }

  /** Content, then name, then folders reach the disk: after a power cut the object is whole or absent. */
  private async commit(file: string, key: string): Promise<void> {
    const target = this.pathOf(key);
    const folder = path.dirname(target);
    try {
      const firstNew = await mkdir(folder, { recursive: true, mode: 0o700 });
      // Its age counts from now: an upload may have taken longer than the sweeper leaves unknown files alone.
      const now = new Date();
      await utimes(file, now, now);
      await syncPath(file);
      await rename(file, target);
      await syncPath(folder);
      if (firstNew !== undefined) await syncParents(folder, firstNew);
    } catch (error) {
      throw storageError(error);
    }
  }

  private pathOf(key: string): string {
    if (!KEY.test(key)) throw new TypeError(`"${key}" is not an object key`);
    return path.join(this.objects, key);
  }

  private async missingIsTyped<T>(key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new ObjectMissingError(`There is no object ${key}`, { cause: error });
    }
  }
}

/** Counts and hashes what flows through, and stops it at the limit. */
class Meter extends Transform {
  bytes = 0;
  private readonly hash = createHash('sha256');

  constructor(private readonly maxBytes: number) {
    super();
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, data?: Buffer) => void,
  ): void {
    this.bytes += chunk.length;
    if (this.bytes > this.maxBytes) {
      done(new ObjectTooLargeError(`The file has more than ${this.maxBytes} bytes`));
      return;
    }
    this.hash.update(chunk);
    done(null, chunk);
  }

  digest(): string {
    return this.hash.digest('hex');
  }
}

async function appendTo(file: string, source: Readable, offset: number): Promise<number> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT, 0o600);
  const sink = handle.createWriteStream({ start: offset });
  try {
    await pipeline(source, sink);
  } catch (error) {
    throw storageError(error);
  }
  return offset + sink.bytesWritten;
}

function discardingSink(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

async function syncPath(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A new folder lasts when the one that names it does: from the parent of `folder` up to the parent of `firstNew`. */
async function syncParents(folder: string, firstNew: string): Promise<void> {
  for (let made = folder; made.length >= firstNew.length; made = path.dirname(made)) {
    await syncPath(path.dirname(made));
  }
}

async function statOrNull(file: string) {
  try {
    return await stat(file);
  } catch (error) {
    // Removed between listing and looking.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function storageError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new StorageFullError('The storage is full', { cause: error });
}
