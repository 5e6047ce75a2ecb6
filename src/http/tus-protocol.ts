import { randomUUID } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import type { IncomingHttpHeaders } from 'node:http';
import { DataStore, ERRORS, Server, Upload, type Locker } from '@tus/server';
import type { Request as ExpressRequest, Response as ExpressResponse } from 'express';
import type { z } from 'zod';
import type { ProblemCode } from '../contract/problem.contract.js';
import { TUS_CONTENT_TYPE, TUS_VERSION, uploadMetadata } from '../contract/upload.contract.js';
import { AppError } from '../platform/app-error.js';
import { UUID_KEY } from '../platform/page.js';
import { clientSignal } from './client-signal.js';
import { fieldErrors, validationFailed } from './field-errors.js';
import { wantBody } from './want-body.js';
import { watchPace } from './watch-pace.js';

/** What the protocol is spoken about. Everything throws an AppError for what is the caller's to know. */
export interface ResumableUploads {
  readonly maxBytes: number;
  readonly lifetimeSeconds: number;
  create(upload: BegunUpload): Promise<unknown>;
  /** Only the owner's. */
  get(userId: string, id: string): Promise<unknown>;
  measure(id: string): Promise<MeasuredUpload>;
  /** @returns the new offset */
  append(id: string, source: Readable, offset: number): Promise<number>;
  remove(id: string): Promise<void>;
  finish(userId: string, id: string): Promise<{ state: string; videoIds: readonly string[] }>;
}

type Metadata = Record<string, string | null>;

interface BegunUpload extends z.output<typeof uploadMetadata> {
  id: string;
  userId: string;
  length: number;
  metadata: Metadata;
}

interface MeasuredUpload {
  id: string;
  offset: number;
  length: number;
  metadata: Metadata;
  expiresAt: Date;
}

/** Who calls, and under which address. */
interface Call {
  userId: string;
  baseUrl: string;
}

/** How long a writer that was asked to stop may still take in what is on its way. */
const DRAIN_MS = 500;
const EXTENSIONS = ['creation', 'creation-with-upload', 'termination', 'expiration'];

/** What OPTIONS answers about uploads. */
export const tusCapabilities = (maxBytes: number): Record<string, string> => ({
  'Tus-Resumable': TUS_VERSION,
  'Tus-Version': TUS_VERSION,
  'Tus-Extension': EXTENSIONS.join(','),
  'Tus-Max-Size': String(maxBytes),
});

/**
 * Speaks tus with a client by the library that knows it, and with the rest of the server as every route does: the caller
 * is known before, errors are thrown and become problem documents.
 */
export class TusProtocol {
  private readonly server: Server;
  private readonly calls = new WeakMap<Request, Call>();
  private readonly failures = new WeakMap<Request, unknown>();

  constructor(uploads: ResumableUploads, locker: Locker) {
    this.server = new Server({
      path: '/uploads',
      datastore: new UploadStore(uploads),
      locker,
      maxSize: uploads.maxBytes,
      lockDrainTimeout: DRAIN_MS,
      namingFunction: () => randomUUID(),
      generateUrl: (request, { id }) => `${this.callOf(request).baseUrl}/uploads/${id}`,
      getFileIdFromRequest: (_request, lastPart) => (UUID_KEY.test(lastPart ?? '') ? lastPart : undefined),
      // With POST there is nothing yet that could be somebody else's.
      onIncomingRequest: async (request, id) => {
        if (request.method !== 'POST') await uploads.get(this.callOf(request).userId, id);
      },
      onUploadCreate: async (request, upload) => {
        await uploads.create(this.begun(this.callOf(request), upload));
        return {};
      },
      onUploadFinish: async (request, upload) => {
        const { state, videoIds } = await uploads.finish(this.callOf(request).userId, upload.id);
        return { headers: { 'Upload-State': state, ...(videoIds.length === 0 ? {} : { 'Video-Id': videoIds[0] }) } };
      },
      onResponseError: (request, error) => {
        // The first one is the reason; what follows from it comes later.
        if (!this.failures.has(request)) this.failures.set(request, error);
        return undefined;
      },
    });
  }

  /** @throws AppError for every refusal */
  async serve(request: ExpressRequest, response: ExpressResponse, userId: string): Promise<void> {
    response.set('Tus-Resumable', TUS_VERSION);
    checkHeaders(request);
    const body = takesBody(request) ? new PassThrough() : null;
    const call = toWebRequest(request, body);
    this.calls.set(call, { userId, baseUrl: request.baseUrl });
    const stopReading = body === null ? () => undefined : this.read(request, response, { body, call });
    try {
      const answer = await this.server.handleWeb(call);
      if (this.failures.has(call)) throw toAppError(this.failures.get(call));
      if (answer.status >= 400) throw refusal(answer.status, await answer.text());
      response.status(answer.status);
      for (const name of ANSWER_HEADERS) {
        const value = answer.headers.get(name);
        if (value !== null) response.set(name, value);
      }
      response.end();
    } finally {
      stopReading();
    }
  }

  /** @returns ends the reading; the connection stays, to be answered on */
  private read(
    request: ExpressRequest,
    response: ExpressResponse,
    { body, call }: { body: PassThrough; call: Request },
  ): () => void {
    const signal = clientSignal(request, response);
    const end = (error: Error): void => {
      this.failures.set(call, error);
      body.destroy(error);
    };
    const onGone = (): void => end(signal.reason as Error);
    const pace = watchPace(body, end);
    signal.addEventListener('abort', onGone, { once: true });
    wantBody(request, response);
    request.pipe(body);
    return () => {
      pace.stop();
      signal.removeEventListener('abort', onGone);
      request.unpipe(body);
      body.destroy();
    };
  }

  private callOf(request: Request): Call {
    const call = this.calls.get(request);
    if (call === undefined) throw new TypeError('The request did not come through serve()');
    return call;
  }

  private begun({ userId }: Call, { id, size, metadata = {} }: Upload): BegunUpload {
    const parsed = uploadMetadata.safeParse(metadata);
    if (!parsed.success) throw validationFailed(parsed.error.issues.flatMap(fieldErrors));
    if (size === undefined || size === 0) throw new AppError('unsupported-video', 'The file is empty.');
    return { id, userId, length: size, metadata, ...parsed.data };
  }
}

/** The library's view of where uploads lie. Whose they are has been asked before. */
class UploadStore extends DataStore {
  override extensions = EXTENSIONS;

  constructor(private readonly uploads: ResumableUploads) {
    super();
  }

  /** The row is there already, and the first byte makes the file. */
  override create(upload: Upload): Promise<Upload> {
    return Promise.resolve(upload);
  }

  override async getUpload(id: string): Promise<Upload> {
    const { offset, length, metadata, expiresAt } = await this.uploads.measure(id);
    // The library counts from the creation; the row says when it ends.
    const creation_date = new Date(expiresAt.getTime() - this.getExpiration()).toISOString();
    return new Upload({ id, size: length, offset, metadata, creation_date });
  }

  override remove(id: string): Promise<void> {
    return this.uploads.remove(id);
  }

  override write(source: Readable, id: string, offset: number): Promise<number> {
    return this.uploads.append(id, source, offset);
  }

  override getExpiration(): number {
    return this.uploads.lifetimeSeconds * 1000;
  }
}

const ANSWER_HEADERS = [
  'Location',
  'Upload-Offset',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Expires',
  'Upload-State',
  'Video-Id',
];

function checkHeaders(request: ExpressRequest): void {
  if (request.get('Tus-Resumable') !== TUS_VERSION) {
    const headers = { 'Tus-Version': TUS_VERSION };
    throw new AppError('unsupported-protocol-version', `Send "Tus-Resumable: ${TUS_VERSION}".`, { headers });
  }
  if (request.method === 'PATCH' && request.get('Content-Type') !== TUS_CONTENT_TYPE) {
    throw new AppError('unsupported-media-type', `Send the bytes as ${TUS_CONTENT_TYPE}.`);
  }
}

function takesBody(request: ExpressRequest): boolean {
  return request.method === 'PATCH' || request.get('Content-Type') === TUS_CONTENT_TYPE;
}

function toWebRequest(request: ExpressRequest, body: PassThrough | null): Request {
  const url = new URL(request.url, 'http://localhost');
  return new Request(url, {
    method: request.method,
    headers: toWebHeaders(request.headers),
    ...(body === null ? {} : { body: Readable.toWeb(body) as ReadableStream, duplex: 'half' }),
  });
}

function toWebHeaders(given: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) if (typeof value === 'string') headers.set(name, value);
  return headers;
}

/** What the library throws is one of its constants, told apart by their text. */
const CODE_OF_ERROR = new Map<string, ProblemCode>([
  [ERRORS.FILE_NOT_FOUND.body, 'not-found'],
  [ERRORS.FILE_NO_LONGER_EXISTS.body, 'upload-expired'],
  [ERRORS.INVALID_OFFSET.body, 'upload-offset-conflict'],
  [ERRORS.ERR_SIZE_EXCEEDED.body, 'payload-too-large'],
  [ERRORS.ERR_MAX_SIZE_EXCEEDED.body, 'payload-too-large'],
  [ERRORS.ABORTED.body, 'upload-busy'],
]);

function toAppError(failure: unknown): unknown {
  const { status_code: status, body } = failure as { status_code?: unknown; body?: unknown };
  if (failure instanceof AppError || typeof status !== 'number' || typeof body !== 'string') return failure;
  return refusal(status, body);
}

function refusal(status: number, text: string): unknown {
  const detail = `${text.trim().replace(/\.$/, '')}.`;
  const code = CODE_OF_ERROR.get(text);
  if (code !== undefined) return new AppError(code, detail);
  return status < 500 || status === 501 ? new AppError('malformed-request', detail) : new Error(detail);
}
