import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

import { errors } from 'undici';
import type { z } from 'zod';

import { RunnerProtocolError, RunnerStorageError } from '../runner.errors.js';
import { parseRetryAfter } from './retry-after.js';

/** Enough for the words of an error. */
const EXCERPT_BYTES = 16 * 1024;
/** Numbers that JSON does not know, as Python and others write them all the same. */
const NON_FINITE = /(?<=[[,:\s])-?(?:NaN|Infinity|Inf|nan|inf)(?=[\],}\s])/g;
/** Of the places that do not fit a schema so many are named. */
const NAMED_ISSUES = 3;

export interface AnswerParts {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Where the answer came from, redirects followed. */
  url: URL;
  /** Ends with an error when the connection does so before the answer is complete. */
  body: AsyncIterable<Uint8Array>;
  /** Who answers, as a sentence begins. */
  peer: string;
}

/** An answer whose head is there. Its body is read once, by one of the methods, and never beyond a limit. */
export class HttpAnswer {
  readonly status: number;
  readonly url: URL;

  constructor(private readonly parts: AnswerParts) {
    this.status = parts.status;
    this.url = parts.url;
  }

  get isSuccess(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** Of several headers of one name the first. */
  header(name: string): string | null {
    const value = this.parts.headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? null;
  }

  /** In lower case, without parameters; empty when the server does not say. */
  get mediaType(): string {
    return (this.header('content-type') ?? '').split(';', 1)[0].trim().toLowerCase();
  }

  get retryAfterSeconds(): number | undefined {
    return parseRetryAfter(this.header('retry-after'), this.header('date'), new Date());
  }

  /**
   * @param what of the answer, for messages: 'its health'
   * @throws RunnerProtocolError wrong-content-type, too-large, cut-off, not-json, non-finite, wrong-shape
   */
  async json<Output>(schema: z.ZodType<Output>, what: string, maxBytes: number): Promise<Output> {
    this.expectType(what, (type) => type === 'application/json' || type.endsWith('+json'));
    const value = this.parseJson(await this.bytes(what, maxBytes), what);
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issues = parsed.error.issues.slice(0, NAMED_ISSUES).map(({ path, message }) => {
      return `${path.length === 0 ? 'as a whole' : path.join('.')}: ${message}`;
    });
    throw this.breach('wrong-shape', `sends ${what} in a form that its contract does not allow (${issues.join('; ')})`);
  }

  /** The whole body. @throws RunnerProtocolError too-large, cut-off */
  async bytes(what: string, maxBytes: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.limited(what, maxBytes)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** How the body begins, as text, whatever becomes of the rest: for the words of an error. */
  async excerpt(): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of this.parts.body) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes >= EXCERPT_BYTES) break;
      }
    } catch (error) {
      // The status says what counts; words that are cut off are better than none. A deadline remains one.
      if (!(error instanceof RunnerProtocolError)) throw error;
    }
    return Buffer.concat(chunks).toString('utf8', 0, EXCERPT_BYTES);
  }

  /**
   * Writes the body to a new file, of which nothing is left after a rejection.
   *
   * @throws RunnerProtocolError wrong-content-type, too-large, cut-off; RunnerStorageError
   */
  async saveTo(path: string, what: string, { types, maxBytes }: { types: RegExp; maxBytes: number }): Promise<void> {
    this.expectType(what, (type) => type === '' || types.test(type));
    try {
      await pipeline(this.limited(what, maxBytes), createWriteStream(path, { flags: 'wx' }));
    } catch (error) {
      await rm(path, { force: true });
      const isFileSystem = error instanceof Error && 'syscall' in error && 'path' in error;
      if (isFileSystem || isDiskFull(error)) throw new RunnerStorageError(`${what} cannot be kept.`, { cause: error });
      throw error;
    }
  }

  private async *limited(what: string, maxBytes: number): AsyncGenerator<Uint8Array> {
    const announced = Number(this.header('content-length') ?? 0);
    if (announced > maxBytes) throw this.tooLarge(what, maxBytes);
    let bytes = 0;
    for await (const chunk of this.parts.body) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw this.tooLarge(what, maxBytes);
      yield chunk;
    }
  }

  private parseJson(bytes: Buffer, what: string): unknown {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch (error) {
      throw this.breach('not-json', `sends ${what} in bytes that are no text`, error);
    }
    try {
      return JSON.parse(text);
    } catch (error) {
      if (isJson(text.replace(NON_FINITE, 'null'))) {
        throw this.breach('non-finite', `sends numbers in ${what} that are none (NaN or infinite)`, error);
      }
      throw this.breach('not-json', `sends ${what} as something that is no JSON`, error);
    }
  }

  private expectType(what: string, isFine: (type: string) => boolean): void {
    if (isFine(this.mediaType)) return;
    const type = this.mediaType === '' ? 'nothing that it names' : this.mediaType.slice(0, 100);
    throw this.breach('wrong-content-type', `sends ${what} as ${type}`);
  }

  private tooLarge(what: string, maxBytes: number): RunnerProtocolError {
    return this.breach('too-large', `sends more than ${maxBytes} bytes as ${what}`);
  }

  private breach(reason: RunnerProtocolError['reason'], words: string, cause?: unknown): RunnerProtocolError {
    return new RunnerProtocolError(reason, `${this.parts.peer} ${words}.`, { cause });
  }
}

/** What ended the body of an answer too early, in the words of the port. */
export function asCutOff(error: unknown, peer: string): RunnerProtocolError {
  if (error instanceof errors.HTTPParserError) return notHttp(error, peer);
  return new RunnerProtocolError('cut-off', `${peer} broke off in the middle of its answer.`, { cause: error });
}

export function notHttp(error: unknown, peer: string): RunnerProtocolError {
  return new RunnerProtocolError('wrong-shape', `${peer} does not speak HTTP.`, { cause: error });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // The caller reports the first of the two errors.
  }
}

function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}
