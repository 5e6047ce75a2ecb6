import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { AppError } from '../platform/app-error.js';
import type { ByteRange } from '../platform/storage/object-store.port.js';
import { isKnownToCaller } from './entity-tags.js';

export interface Content {
  bytes: number;
  /** Strong: stands for exactly these bytes. In quotes. */
  etag: string;
  /** Content-Type and whatever else goes with the content. */
  headers: Readonly<Record<string, string>>;
  /** Called once, unless the caller has the content already or asks for its headers only. */
  open(range?: ByteRange): Promise<Readable>;
}

/**
 * Answers with content as it is, or with one range of it (RFC 9110 section 14). HEAD is told of the whole.
 * @throws AppError range-not-satisfiable
 */
export async function sendContent(request: Request, response: Response, content: Content): Promise<void> {
  const { bytes, etag, headers } = content;
  const common = { ...headers, ETag: etag, 'Accept-Ranges': 'bytes' };
  if (isKnownToCaller(request.get('If-None-Match'), etag)) {
    response.status(304).set(common).end();
    return;
  }
  const range = wantedRange(request, content);
  const stream = request.method === 'HEAD' ? null : await content.open(range);
  response.set(common);
  if (range === undefined) {
    response.status(200).set('Content-Length', String(bytes));
  } else {
    response.status(206).set({
      'Content-Length': String(range.end - range.start + 1),
      'Content-Range': `bytes ${range.start}-${range.end}/${bytes}`,
    });
  }
  if (stream === null) response.end();
  else await pipeline(stream, response);
}

/** Units are written in any case; a list of ranges does not match, and so is answered with the whole. */
const ONE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/** @returns undefined for the whole: nothing else was asked for, or in a form that we need not know */
function wantedRange(request: Request, { bytes, etag }: Content): ByteRange | undefined {
  const header = request.get('Range');
  if (request.method !== 'GET' || header === undefined) return undefined;
  // A range of something else is of no use. Dates never match: content has tags only.
  const condition = request.get('If-Range');
  if (condition !== undefined && condition.trim() !== etag) return undefined;

  const [, first, last] = ONE_RANGE.exec(header) ?? [];
  if (first === undefined || (first === '' && last === '')) return undefined;
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (start <= end) return { start, end };
  throw new AppError('range-not-satisfiable', `There are ${bytes} bytes.`, {
    headers: { 'Content-Range': `bytes */${bytes}` },
  });
}
