import { randomBytes } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { OutgoingBody } from './exchange.js';

export interface UploadFile {
  path: string;
  /** As the server sees it; default: the last part of the path. */
  filename?: string;
  /** Default: application/octet-stream; InferNode looks at the content instead. */
  contentType?: string;
}

export interface MultipartBody extends OutgoingBody {
  /** Lets go of the file; the body cannot be read any more. */
  close(): Promise<void>;
}

const CRLF = '\r\n';
const CHUNK_BYTES = 256 * 1024;

/**
 * A form (RFC 7578) with text fields and one file, which is read as it is sent. Its length is known from the start.
 *
 * @throws the file system's error when the file cannot be opened; while reading, an Error when it gets shorter
 */
export async function openMultipart(
  fields: Record<string, string | undefined>,
  fileField: string,
  file: UploadFile,
  onProgress?: (sentBytes: number, totalBytes: number) => void,
): Promise<MultipartBody> {
  const boundary = `infernode-${randomBytes(18).toString('hex')}`;
  const head = Buffer.from(textParts(boundary, fields) + fileHead(boundary, fileField, file), 'utf8');
  const tail = Buffer.from(`${CRLF}--${boundary}--${CRLF}`, 'utf8');
  const handle = await open(file.path, 'r');
  try {
    const { size } = await handle.stat();
    return {
      contentType: `multipart/form-data; boundary=${boundary}`,
      contentLength: head.length + size + tail.length,
      async *chunks() {
        yield head;
        yield* fileChunks(handle, { from: 0, to: size, name: file.path }, onProgress);
        yield tail;
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function textParts(boundary: string, fields: Record<string, string | undefined>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) =>
      [`--${boundary}`, `Content-Disposition: form-data; name="${escapeName(name)}"`, '', `${value}${CRLF}`].join(CRLF),
    )
    .join('');
}

function fileHead(boundary: string, field: string, file: UploadFile): string {
  const filename = escapeName(file.filename ?? path.basename(file.path));
  return [
    `--${boundary}`,
    `Content-Disposition: form-data; name="${escapeName(field)}"; filename="${filename}"`,
    `Content-Type: ${file.contentType ?? 'application/octet-stream'}`,
    CRLF,
  ].join(CRLF);
}

/** As browsers do it: HTML standard, "multipart/form-data encoding algorithm". */
function escapeName(name: string): string {
  return name.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
}

/** Exactly the promised bytes, also when the file grows meanwhile. */
export async function* fileChunks(
  handle: FileHandle,
  { from, to, name }: { from: number; to: number; name: string },
  onProgress: ((sentBytes: number, totalBytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  for (let sent = from; sent < to;) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - sent));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, sent);
    if (bytesRead === 0) throw new Error(`${name} became shorter while it was uploaded`);
    yield buffer.subarray(0, bytesRead);
    sent += bytesRead;
    onProgress?.(sent, to);
  }
}
