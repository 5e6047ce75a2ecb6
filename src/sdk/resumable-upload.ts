import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  appendUploadRoute,
  createUploadRoute,
  finishUploadRoute,
  getUploadOffsetRoute,
  TUS_CONTENT_TYPE,
  TUS_VERSION,
} from '../contract/upload.contract.js';
import { ApiError, UnexpectedAnswerError } from './api-error.js';
import { call, openAnswer, sendBytes, type CallOptions, type Connection } from './call.js';
import { fileChunks, type UploadFile } from './multipart.js';
import type { AnswerOf } from './route-types.js';

export interface ResumableOptions extends CallOptions {
  /** Goes on with an upload that an earlier call began; the file has to be the same. */
  uploadId?: string;
  /** Told once the upload has an id, by which a later call can go on with it. */
  onCreated?(uploadId: string): void;
  /** Bytes of the file that are on their way, and its size. */
  onProgress?(sentBytes: number, totalBytes: number): void;
  /** Broken connections in a row, without a byte in between, after which it gives up. Default 5. */
  retries?: number;
  /** Pause before the first repetition; doubles each time. Default one second. */
  retryDelayMs?: number;
}

interface ResumableFile {
  datasetId: string;
  name: string;
  type?: string | undefined;
  file: UploadFile;
}

const TUS = { 'Tus-Resumable': TUS_VERSION };
const LONGEST_PAUSE_MS = 30_000;

/** Sends a file in as many requests as it takes; what has arrived is not sent again. */
export async function uploadResumable(
  connection: Connection,
  { file, ...fields }: ResumableFile,
  options: ResumableOptions,
): Promise<AnswerOf<typeof finishUploadRoute>> {
  const handle = await open(file.path, 'r');
  try {
    const { size } = await handle.stat();
    const id = options.uploadId ?? (await create(connection, fields, { file, size }, options));
    options.onCreated?.(id);
    await sendAll(connection, id, { handle, size, path: file.path }, options);
    return await finish(connection, id, options);
  } finally {
    await handle.close();
  }
}

async function create(
  connection: Connection,
  fields: Omit<ResumableFile, 'file'>,
  { file, size }: { file: UploadFile; size: number },
  options: ResumableOptions,
): Promise<string> {
  const metadata = { ...fields, filename: file.filename ?? path.basename(file.path) };
  const pairs = Object.entries(metadata).filter(([, value]) => value !== undefined);
  const headers = {
    ...TUS,
    'Upload-Length': String(size),
    'Upload-Metadata': pairs.map(([key, value]) => `${key} ${Buffer.from(value ?? '').toString('base64')}`).join(','),
  };
  const answer = await openAnswer(connection, createUploadRoute, { headers }, options);
  answer.resume();
  const id = answer.headers.location?.split('/').at(-1);
  if (id === undefined) throw new UnexpectedAnswerError('createUpload: the answer names no location');
  return id;
}

interface OpenFile {
  handle: FileHandle;
  size: number;
  path: string;
}

async function sendAll(connection: Connection, id: string, file: OpenFile, options: ResumableOptions): Promise<void> {
  const patience = new Patience(options);
  let reached = -1;
  for (;;) {
    try {
      const offset = await offsetOf(connection, id, options);
      if (offset > reached) patience.renew();
      reached = offset;
      if (offset === file.size) return;
      await sendFrom(connection, id, offset, file, options);
    } catch (error) {
      await patience.pauseAfter(error);
    }
  }
}

/** Decides how often a failure is followed by another try. */
class Patience {
  private failures = 0;

  constructor(private readonly options: ResumableOptions) {}

  /** Something has been reached. */
  renew(): void {
    this.failures = 0;
  }

  /** @throws the error itself when there is to be no other try */
  async pauseAfter(error: unknown): Promise<void> {
    const { retries = 5, retryDelayMs = 1_000, signal } = this.options;
    if (signal?.aborted === true || !mayGoOn(error) || ++this.failures > retries) throw error;
    await delay(Math.min(retryDelayMs * 2 ** (this.failures - 1), LONGEST_PAUSE_MS), undefined, { signal });
  }
}

/** A connection that broke, a server that is busy or restarting, and an offset that has moved meanwhile. */
function mayGoOn(error: unknown): boolean {
  if (!(error instanceof ApiError)) return !(error instanceof UnexpectedAnswerError);
  if (error.problem !== null) return error.problem.retryable || error.code === 'upload-offset-conflict';
  // An answer to HEAD holds no problem document.
  return error.status >= 500 || [408, 423, 429].includes(error.status);
}

async function offsetOf(connection: Connection, id: string, options: CallOptions): Promise<number> {
  const answer = await openAnswer(connection, getUploadOffsetRoute, { params: { id }, headers: TUS }, options);
  answer.resume();
  const offset = Number(answer.headers['upload-offset'] ?? Number.NaN);
  if (!Number.isSafeInteger(offset)) throw new UnexpectedAnswerError('getUploadOffset: the answer has no offset');
  return offset;
}

async function sendFrom(
  connection: Connection,
  id: string,
  offset: number,
  { handle, size, path: name }: OpenFile,
  options: ResumableOptions,
): Promise<void> {
  const body = {
    contentType: TUS_CONTENT_TYPE,
    contentLength: size - offset,
    chunks: () => fileChunks(handle, { from: offset, to: size, name }, options.onProgress),
  };
  const headers = { ...TUS, 'Upload-Offset': String(offset) };
  (await sendBytes(connection, appendUploadRoute, { params: { id }, headers }, options, body)).resume();
}

/** The server makes a video of it by itself; asking tells when, and why not. */
async function finish(connection: Connection, id: string, options: ResumableOptions) {
  const patience = new Patience(options);
  for (;;) {
    try {
      const answer = await call(connection, finishUploadRoute, { params: { id } }, options);
      if (answer.upload.state === 'done') return answer;
      patience.renew();
    } catch (error) {
      await patience.pauseAfter(error);
    }
  }
}
