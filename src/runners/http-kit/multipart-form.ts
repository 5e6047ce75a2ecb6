import { randomBytes } from 'node:crypto';
import { open, stat } from 'node:fs/promises';

import { RunnerStorageError } from '../runner.errors.js';
import type { OutgoingBody } from './outgoing-body.js';

export interface FormFile {
  field: string;
  /** Of a local file. */
  path: string;
  /** As the server sees it. */
  filename: string;
  contentType: string;
}

const CRLF = '\r\n';
const CHUNK_BYTES = 256 * 1024;

/**
 * A form (RFC 7578): text fields first, then files, which are read from the disk as they are sent.
 *
 * @throws RunnerStorageError when a file is not there, and while reading when it cannot be read or gets shorter
 */
export async function openForm(
  fields: Readonly<Record<string, string | undefined>>,
  files: readonly FormFile[],
): Promise<OutgoingBody> {
  const boundary = `infernode-${randomBytes(18).toString('hex')}`;
  const parts = await Promise.all(files.map(async (file) => ({ file, ...(await measured(file, boundary)) })));
  const text = Buffer.from(textParts(boundary, fields), 'utf8');
  const tail = Buffer.from(`--${boundary}--${CRLF}`, 'utf8');
  const end = Buffer.from(CRLF, 'utf8');
  const fileBytes = parts.reduce((sum, { head, size }) => sum + head.length + size + end.length, 0);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    contentLength: text.length + fileBytes + tail.length,
    async *chunks() {
      yield text;
      for (const { file, head, size } of parts) {
        yield head;
        yield* fileChunks(file.path, size);
        yield end;
      }
      yield tail;
    },
  };
}

async function measured(file: FormFile, boundary: string): Promise<{ head: Buffer; size: number }> {
  try {
    const { size } = await stat(file.path);
    return { head: Buffer.from(fileHead(boundary, file), 'utf8'), size };
  } catch (error) {
    throw unreadable(error);
  }
}

function textParts(boundary: string, fields: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) =>
      [`--${boundary}`, `Content-Disposition: form-data; name="${escapeName(name)}"`, '', `${value}${CRLF}`].join(CRLF),
    )
    .join('');
}

function fileHead(boundary: string, { field, filename, contentType }: FormFile): string {
  return [
    `--${boundary}`,
    `Content-Disposition: form-data; name="${escapeName(field)}"; filename="${escapeName(filename)}"`,
    `Content-Type: ${contentType}`,
    CRLF,
  ].join(CRLF);
}

/** As browsers do it: HTML standard, "multipart/form-data encoding algorithm". */
function escapeName(name: string): string {
  return name.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
}

/** Exactly the promised bytes, also when the file grows meanwhile. */
async function* fileChunks(path: string, size: number): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(error);
  });
  try {
    for (let sent = 0; sent < size;) {
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - sent));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, sent).catch((error: unknown) => {
        throw unreadable(error);
      });
      if (bytesRead === 0)
        throw new RunnerStorageError('A video became shorter while it was sent to the model server.');
      yield buffer.subarray(0, bytesRead);
      sent += bytesRead;
    }
  } finally {
    await file.close();
  }
}

function unreadable(error: unknown): RunnerStorageError {
  return new RunnerStorageError('A video cannot be read on its way to the model server.', { cause: error });
}
