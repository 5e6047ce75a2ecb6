import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { Request, Response } from 'express';
import multer, { MulterError } from 'multer';
import type { z } from 'zod';
import { AppError, invalidField } from '../platform/app-error.js';
import type { ObjectStore, StagedObject } from '../platform/storage/object-store.port.js';
import { fieldErrors, validationFailed } from './field-errors.js';
import { wantBody } from './want-body.js';
import { watchPace } from './watch-pace.js';

interface ReceiveOptions<Fields extends z.ZodObject> {
  fileField: string;
  fields: Fields;
  /** Fires when the client has gone. */
  signal: AbortSignal;
}

export interface ReceivedUpload<Fields extends z.ZodObject> {
  fields: z.output<Fields>;
  content: StagedObject;
}

/** What a form weighs beside its file. */
const FORM_OVERHEAD_BYTES = 64 * 1024;

/** Takes in multipart forms with one file. */
export class UploadReceiver {
  constructor(
    private readonly store: ObjectStore,
    private readonly maxBytes: number,
  ) {}

  /**
   * Streams the file into staging. It rejects as soon as it is clear that the form is refused, however much of it is still
   * to come, and then nothing is left in staging.
   * @throws AppError malformed-multipart, unsupported-media-type, payload-too-large, request-timeout, validation-failed
   */
  async receive<Fields extends z.ZodObject>(
    request: Request,
    response: Response,
    options: ReceiveOptions<Fields>,
  ): Promise<ReceivedUpload<Fields>> {
    const { fileField, fields, signal } = options;
    this.checkHeaders(request);
    wantBody(request, response);
    const engine = new StagingEngine(this.store, this.maxBytes, signal);
    try {
      const body = await parseForm(request, response, engine, { ...options, maxBytes: this.maxBytes });
      if (engine.received === undefined) throw invalidField(fileField, 'The file is missing.');
      return { fields: parseFields(fields, body), content: engine.received };
    } catch (error) {
      await engine.discard();
      throw error;
    }
  }

  private checkHeaders(request: Request): void {
    if (request.is('multipart/form-data') === false) {
      throw new AppError('unsupported-media-type', 'Send the form as multipart/form-data.');
    }
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
      throw new AppError('unsupported-media-type', 'Send the form without a content encoding.');
    }
    if (Number(request.headers['content-length'] ?? 0) > this.maxBytes + FORM_OVERHEAD_BYTES) {
      throw tooLarge(this.maxBytes);
    }
  }
}

/** Multer's storage engine over the object store: the file goes from the socket to the disk in small pieces. */
class StagingEngine implements multer.StorageEngine {
  received: StagedObject | undefined;
  private staging: Promise<unknown> = Promise.resolve();
  private readonly refusal = new AbortController();

  constructor(
    private readonly store: ObjectStore,
    private readonly maxBytes: number,
    private readonly signal: AbortSignal,
  ) {}

  _handleFile(_request: Request, file: Express.Multer.File, done: (error?: unknown, info?: object) => void): void {
    const signal = AbortSignal.any([this.signal, this.refusal.signal]);
    this.staging = this.store.stage(file.stream, { signal, maxBytes: this.maxBytes }).then((staged) => {
      this.received = staged;
      done(null, { path: staged.path, size: staged.bytes });
    }, done);
  }

  _removeFile(_request: Request, _file: Express.Multer.File, done: (error: Error | null) => void): void {
    this.discard().then(() => done(null), done);
  }

  /** Ends what is still being written, and takes away what has been. */
  async discard(): Promise<void> {
    this.refusal.abort(new Error('The form is refused.'));
    await this.staging;
    await this.received?.discard();
    this.received = undefined;
  }
}

/** Multer 2.5 has this option; its types do not say so yet. */
type MulterOptions = multer.Options & { streamHandler(stream: Readable, parser: Writable): void };

/** @returns the text fields of the form */
function parseForm<Fields extends z.ZodObject>(
  request: Request,
  response: Response,
  storage: multer.StorageEngine,
  { fileField, fields, maxBytes, signal }: ReceiveOptions<Fields> & { maxBytes: number },
): Promise<unknown> {
  const fieldCount = Object.keys(fields.shape).length;
  const options: MulterOptions = {
    storage,
    // Multer tells an error only after it has read the rest of the body; ending its stream makes it tell at once.
    streamHandler: (stream, parser) => {
      parser.once('unpipe', () => setImmediate(() => stream.destroy()));
      stream.pipe(parser);
    },
    // Every limit is set: with multer's defaults, one short request could hold the process for good.
    limits: {
      fileSize: maxBytes,
      files: 1,
      // One more than known, so that an unknown field is named rather than counted.
      fields: fieldCount + 1,
      parts: fieldCount + 3,
      fieldNameSize: 100,
      fieldSize: 4096,
      headerPairs: 20,
      fieldNestingDepth: 0,
      fieldArrayIndexLimit: 0,
    },
  };
  const parse = multer(options).single(fileField);
  const form = asForm(request);
  return new Promise((resolve, reject) => {
    const pace = watchPace(form, (error) => end(error));
    const end = (error?: unknown): void => {
      pace.stop();
      signal.removeEventListener('abort', onAbort);
      request.unpipe(form);
      form.destroy();
      if (error === undefined || error === null) resolve(form.body);
      else reject(translate(error, maxBytes));
    };
    const onAbort = (): void => end(signal.reason);
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener('abort', onAbort, { once: true });
      parse(form as unknown as Request, response, end);
      request.pipe(form);
    }
  });
}

/** The body as a stream of its own, which can be ended while the connection stays to be answered on. */
function asForm(request: Request): PassThrough & { headers: Request['headers']; body?: unknown } {
  return Object.assign(new PassThrough(), { headers: request.headers });
}

const tooLarge = (maxBytes: number, cause?: unknown): AppError =>
  new AppError('payload-too-large', `A file has at most ${maxBytes} bytes.`, { cause });

function translate(error: unknown, maxBytes: number): unknown {
  if (error instanceof MulterError) {
    if (error.code === 'LIMIT_FILE_SIZE') {
      return tooLarge(maxBytes, error);
    }
    const where = error.field === undefined ? '' : ` (${error.field})`;
    return new AppError('malformed-multipart', `${error.message}${where}.`, { cause: error });
  }
  if (error instanceof AppError || !(error instanceof Error)) return error;
  // Busboy has no error class: what it says about the form comes as a plain Error without a code.
  const fromParser = /^(Malformed|Unexpected end|Multipart|Missing|Unsupported content type|Invalid)/.test(
    error.message,
  );
  return fromParser ? new AppError('malformed-multipart', `${error.message}.`, { cause: error }) : error;
}

function parseFields<Fields extends z.ZodObject>(schema: Fields, body: unknown): z.output<Fields> {
  const result = schema.safeParse({ ...(body as object) });
  if (result.success) return result.data;
  throw validationFailed(result.error.issues.flatMap(fieldErrors));
}
