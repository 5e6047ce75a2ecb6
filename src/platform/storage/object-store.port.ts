import type { Readable } from 'node:stream';

/** A file on its way into the store: on local disk, counted and hashed, not yet visible under any key. */
export interface StagedObject {
  /** Absolute path, readable until committed or discarded. */
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Makes it durable and visible under `key`, whole or not at all. */
  commit(key: string): Promise<void>;
  /** Safe at any time, also after commit (then it does nothing). */
  discard(): Promise<void>;
}

/**
 * A path for a program that writes a file itself; `stage` then takes the file in. What the program writes beside it goes
 * with it where its name begins with this one.
 */
export interface ScratchFile {
  readonly path: string;
  stage(): Promise<StagedObject>;
  /** Safe at any time. */
  discard(): Promise<void>;
}

/** A file that arrives in several requests; it outlives the process. One writer at a time is the caller's matter. */
export interface PartialFile {
  /** Bytes that are there; 0 when nothing has arrived. */
  size(): Promise<number>;
  /**
   * Writes what comes behind the first `offset` bytes. What arrived before an error stays.
   * @returns the new size
   * @throws StorageFullError, the source's error
   */
  append(source: Readable, offset: number): Promise<number>;
  read(): Readable;
  /** Safe at any time. */
  discard(): Promise<void>;
}

export interface StageOptions {
  signal: AbortSignal;
  maxBytes: number;
}

export interface LocalFile {
  readonly path: string;
  /** Whoever asked says when the file is no longer needed. */
  release(): Promise<void>;
}

export interface StoredObject {
  key: string;
  bytes: number;
  modifiedAt: Date;
}

/** Zero-based, both ends inclusive, within the object. */
export interface ByteRange {
  start: number;
  end: number;
}

/** Thrown while staging. */
export class ObjectTooLargeError extends Error {
  override readonly name = 'ObjectTooLargeError';
}

/** The store has no room left. */
export class StorageFullError extends Error {
  override readonly name = 'StorageFullError';
}

/** There is nothing under this key. */
export class ObjectMissingError extends Error {
  override readonly name = 'ObjectMissingError';
}

/** Where videos and archives lie. Nothing here holds a whole object in memory. */
export interface ObjectStore {
  /**
   * Streams `source` to staging. When it rejects, nothing is left.
   * @throws ObjectTooLargeError, StorageFullError, the signal's reason, the source's error
   */
  stage(source: Readable, options: StageOptions): Promise<StagedObject>;
  scratch(extension: string): Promise<ScratchFile>;
  /** @returns null when there is no such object */
  stat(key: string): Promise<StoredObject | null>;
  /**
   * The content, or a range of it; `bytes` are those of the whole.
   * @throws ObjectMissingError
   */
  read(key: string, range?: ByteRange): Promise<{ stream: Readable; bytes: number }>;
  /**
   * A local path to the object's content.
   * @throws ObjectMissingError
   */
  localFile(key: string, signal: AbortSignal): Promise<LocalFile>;
  /** Nothing happens when there is no such object. */
  delete(key: string): Promise<void>;
  list(prefix: string): AsyncIterable<StoredObject>;
  /** @param id as in a key: lower-case letters, digits, dots and dashes */
  partial(id: string): PartialFile;
  /** Under their ids as keys. */
  listPartials(): AsyncIterable<StoredObject>;
  /** Removes what crashed processes left in staging before `before`. */
  sweepStaging(before: Date): Promise<number>;
}
