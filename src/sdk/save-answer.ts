import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { CallOptions } from './call.js';

export interface SaveOptions extends CallOptions {
  /** `totalBytes` is null when the server does not say. */
  onProgress?(receivedBytes: number, totalBytes: number | null): void;
}

export interface SavedFile {
  path: string;
  bytes: number;
}

/** Streams an answer to a file that appears complete or not at all; one that is there is replaced. */
export async function saveAnswer(
  answer: IncomingMessage,
  path: string,
  { onProgress, signal }: SaveOptions,
): Promise<SavedFile> {
  const length = answer.headers['content-length'];
  const total = length === undefined ? null : Number(length);
  const part = `${path}.part`;
  let bytes = 0;
  const count = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      onProgress?.(bytes, total);
      yield chunk;
    }
  };
  try {
    await pipeline(answer, count, createWriteStream(part), signal === undefined ? {} : { signal });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  return { path, bytes };
}
