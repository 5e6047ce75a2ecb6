import type { Request, Response } from 'express';
import multer, { MulterError } from 'multer';
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import { AppError, invalidField } from '../platform/app-error.js';
import type { ObjectStore, StagedObject } from '../platform/storage/object-store.port.js';
import { fieldErrors, summarize } from './mount-routes.js';

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

/** A client that sends nothing for this long has gone. */
const IDLE_MS = 60_000;

/** Takes in multipart forms with one file. */
export class UploadReceiver {
  constructor(
    private readonly store: ObjectStore,
    private readonly maxBytes: number,
  ) {}

  /**
   * Streams the file into staging. When it rejects, nothing is left there.
   * @throws AppError malformed-multipart, unsupported-media-type, payload-too-large, validation-failed
   */
  async receive<Fields extends z.ZodObject>(
    request: Request,
    response: Response,
    options: ReceiveOptions<Fields>,
  ): Promise<ReceivedUpload<Fields>> {
    const { fileField, fields, signal } = options;
    if (request.is('multipart/form-data') === false) {
      throw new AppError('unsupported-media-type', 'Send the form as multipart/form-data.');
    }
    const engine = new StagingEngine(this.store, this.maxBytes, signal);
    try {
      await parseForm(request, response, engine, { ...options, maxBytes: this.maxBytes });
      if (engine.received === undefined) throw invalidField(fileField, 'The file is missing.');
      return { fields: parseFields(fields, request.body), content: engine.received };
    } catch (error) {
      await engine.discard();
      throw error;
    }
  }
}

/** Multer's storage engine over the object store: the file goes from the socket to the disk in small pieces. */
class StagingEngine implements multer.StorageEngine {
  received: StagedObject | undefined;
  private staging: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly store: ObjectStore,
    private readonly maxBytes: number,
    private readonly signal: AbortSignal,
  ) {}

  _handleFile(_request: Request, file: Express.Multer.File, done: (error?: unknown, info?: object) => void): void {
    const idle = new IdleWatch(file.stream);
    const signal = AbortSignal.any([this.signal, idle.signal]);
    this.staging = this.store
      .stage(file.stream, { signal, maxBytes: this.maxBytes })
      .then((staged) => {
        this.received = staged;
        done(null, { path: staged.path, size: staged.bytes });
      }, done)
      .finally(() => idle.end());
  }

  _removeFile(_request: Request, _file: Express.Multer.File, done: (error: Error | null) => void): void {
    this.discard().then(() => done(null), done);
  }

  /** Waits for what is still being written: a file that ends up staged after the form was refused goes too. */
  async discard(): Promise<void> {
    await this.staging;
    await this.received?.discard();
    this.received = undefined;
  }
}

class IdleWatch {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly onData = (): void => void this.timer.refresh();

  constructor(private readonly stream: Readable) {
    this.timer = setTimeout(() => {
      this.controller.abort(new AppError('malformed-request', `Nothing arrived for ${IDLE_MS / 1000} seconds.`));
    }, IDLE_MS);
    stream.on('data', this.onData);
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  end(): void {
    clearTimeout(this.timer);
    this.stream.off('data', this.onData);
  }
}

function parseForm<Fields extends z.ZodObject>(
  request: Request,
  response: Response,
  storage: multer.StorageEngine,
  { fileField, fields, maxBytes, signal }: ReceiveOptions<Fields> & { maxBytes: number },
): Promise<void> {
  const fieldCount = Object.keys(fields.shape).length;
  const parse = multer({
    storage,
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
  }).single(fileField);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    parse(request, response, (error: unknown) => {
      signal.removeEventListener('abort', onAbort);
      if (signal.aborted) reject(signal.reason as Error);
      else if (error === undefined || error === null) resolve();
      else reject(translate(error, maxBytes));
    });
  });
}

function translate(error: unknown, maxBytes: number): unknown {
  if (error instanceof MulterError) {
    if (error.code === 'LIMIT_FILE_SIZE') {
      return new AppError('payload-too-large', `A file has at most ${maxBytes} bytes.`, { cause: error });
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
  const errors = result.error.issues.flatMap(fieldErrors);
  throw new AppError('validation-failed', summarize(errors), { errors });
}
