import { DEFAULT_REMOTE_LIMITS, SMALL_ANSWER_BYTES, type RemoteLimits } from '../http-kit/remote-limits.js';
import type { HttpAnswer } from '../http-kit/http-answer.js';
import { HttpClient } from '../http-kit/http-client.js';
import { RunnerProtocolError } from '../runner.errors.js';
import { failureError, failureOfHttpStatus } from './failures.js';
import type {
  InferenceAnswer,
  InferenceClient,
  InferenceRequest,
  ModelMetadata,
  ModelReference,
  ServerMetadata,
  TensorEncoding,
} from './inference.client.js';
import {
  BINARY_EXTENSIONS,
  errorSchema,
  inferenceAnswerSchema,
  JSON_LENGTH_HEADER,
  modelMetadataSchema,
  readinessSchema,
  serverMetadataSchema,
  writeRequest,
} from './rest.wire.js';
import { readListedTensor, readRawTensor, TensorFormatError, type OutputTensor } from './tensor.js';

export interface TransportOptions {
  /** Who is talked to, as a sentence begins. */
  peer: string;
  url: URL;
  token?: string | undefined;
  limits?: Partial<RemoteLimits> | undefined;
  /** How tensors are to travel, whatever the server says it can do. */
  encoding?: TensorEncoding | undefined;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The protocol over HTTP: numbers in JSON, or raw tensors where the server takes them. */
export class RestInferenceClient implements InferenceClient {
  private readonly http: HttpClient;
  private readonly limits: RemoteLimits;

  constructor(private readonly options: TransportOptions) {
    const { peer, url, token } = options;
    this.limits = { ...DEFAULT_REMOTE_LIMITS, ...options.limits };
    this.http = new HttpClient({ peer, url, token, limits: this.limits });
  }

  async isReady(signal: AbortSignal): Promise<boolean> {
    const [isLive, isReady] = await Promise.all([
      this.ask('v2/health/live', signal),
      this.ask('v2/health/ready', signal),
    ]);
    return isLive && isReady;
  }

  isModelReady(model: ModelReference, signal: AbortSignal): Promise<boolean> {
    return this.ask(`${modelPath(model)}/ready`, signal);
  }

  async serverMetadata(signal: AbortSignal): Promise<ServerMetadata> {
    const { extensions, ...rest } = await this.get('v2', signal, (answer) =>
      answer.json(serverMetadataSchema, 'what it is', SMALL_ANSWER_BYTES),
    );
    return { ...rest, extensions: extensions ?? [] };
  }

  async modelMetadata(model: ModelReference, signal: AbortSignal): Promise<ModelMetadata> {
    const { name, inputs, outputs } = await this.get(modelPath(model), signal, (answer) =>
      answer.json(modelMetadataSchema, 'what its model takes', SMALL_ANSWER_BYTES),
    );
    return { name, inputs: inputs ?? [], outputs: outputs ?? [] };
  }

  encodingFor({ extensions }: ServerMetadata): TensorEncoding {
    return this.options.encoding ?? (extensions.some((name) => BINARY_EXTENSIONS.includes(name)) ? 'binary' : 'json');
  }

  infer(request: InferenceRequest, encoding: TensorEncoding, signal: AbortSignal): Promise<InferenceAnswer> {
    const { contentType, headers, pieces } = writeRequest(request, encoding);
    const contentLength = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    const call = {
      method: 'POST',
      path: `${modelPath(request.model)}/infer`,
      headers,
      body: { contentType, contentLength, chunks: () => pieces },
      signal,
      answerMs: this.limits.stallMs,
      readMs: this.limits.readMs,
      carriesJob: true,
    } as const;
    return this.http.send(call, (answer) => this.readAnswer(answer));
  }

  close(): Promise<void> {
    return this.http.close();
  }

  private get<Result>(
    path: string,
    signal: AbortSignal,
    read: (answer: HttpAnswer) => Promise<Result>,
  ): Promise<Result> {
    return this.http.send(this.small(path, signal), async (answer) => {
      await this.requireSuccess(answer);
      return read(answer);
    });
  }

  /** A question that is answered by the status, or by a word in the body. */
  private ask(path: string, signal: AbortSignal): Promise<boolean> {
    return this.http.send(this.small(path, signal), async (answer) => {
      if (NOT_READY.includes(answer.status)) return false;
      await this.requireSuccess(answer);
      if (answer.mediaType !== 'application/json') return true;
      const text = UTF8.decode(await answer.bytes('its health', SMALL_ANSWER_BYTES));
      const said = readinessSchema.safeParse(parsedOrUndefined(text));
      return !said.success || said.data.ready !== false;
    });
  }

  private small(path: string, signal: AbortSignal) {
    const { callMs } = this.limits;
    return { method: 'GET', path, signal, answerMs: callMs, readMs: callMs } as const;
  }

  private async requireSuccess(answer: HttpAnswer): Promise<void> {
    if (answer.isSuccess) return;
    const { peer } = this.options;
    const text = await answer.excerpt();
    const parsed = errorSchema.safeParse(parsedOrUndefined(text));
    const failure = failureOfHttpStatus(answer.status);
    // A page of HTML that a proxy wrote says less than the status.
    const words = parsed.success ? parsed.data.error : `HTTP status ${answer.status}.`;
    throw failureError({ failure, peer, words, retryAfterSeconds: answer.retryAfterSeconds });
  }

  private async readAnswer(answer: HttpAnswer): Promise<InferenceAnswer> {
    await this.requireSuccess(answer);
    const { answerBytes } = this.limits;
    const jsonLength = answer.header(JSON_LENGTH_HEADER);
    try {
      if (jsonLength === null) {
        const { parameters, outputs } = await answer.json(inferenceAnswerSchema, 'its answer', answerBytes);
        return { parameters, outputs: outputs.map((output) => readListedTensor(output, dataOf(output))) };
      }
      const bytes = await answer.bytes('its answer', answerBytes);
      const end = Number(jsonLength);
      if (!Number.isSafeInteger(end) || end < 0 || end > bytes.length) {
        throw this.breach('wrong-shape', 'announces a header that is longer than its answer');
      }
      return this.readBinaryAnswer(bytes.subarray(0, end), bytes.subarray(end));
    } catch (error) {
      if (!(error instanceof TensorFormatError)) throw error;
      throw this.breach('wrong-shape', `sends an output that is none: ${error.message}`, error);
    }
  }

  private readBinaryAnswer(head: Buffer, tensors: Buffer): InferenceAnswer {
    const parsed = inferenceAnswerSchema.safeParse(this.json(head));
    if (!parsed.success) {
      throw this.breach('wrong-shape', 'sends its answer in a form that its contract does not allow', parsed.error);
    }
    let offset = 0;
    const outputs = parsed.data.outputs.map((output): OutputTensor => {
      const size = output.parameters?.binary_data_size;
      if (size === undefined) return readListedTensor(output, dataOf(output));
      const raw = tensors.subarray(offset, offset + size);
      offset += size;
      return readRawTensor(output, raw);
    });
    if (offset !== tensors.length) {
      throw this.breach('cut-off', `sends ${tensors.length} bytes of tensors where it announces ${offset}`);
    }
    return { parameters: parsed.data.parameters, outputs };
  }

  private json(bytes: Buffer): unknown {
    try {
      return JSON.parse(UTF8.decode(bytes));
    } catch (error) {
      throw this.breach('not-json', 'sends the head of its answer as something that is no JSON', error);
    }
  }

  private breach(reason: RunnerProtocolError['reason'], words: string, cause?: unknown): RunnerProtocolError {
    return new RunnerProtocolError(reason, `${this.options.peer} ${words}.`, { cause });
  }
}

/** Statuses by which servers say that they, or a model, are not ready. */
const NOT_READY: readonly number[] = [400, 503];

function modelPath({ name, version }: ModelReference): string {
  const path = `v2/models/${encodeURIComponent(name)}`;
  return version === undefined ? path : `${path}/versions/${encodeURIComponent(version)}`;
}

function dataOf(output: { name: string; data?: unknown[] | undefined }): readonly unknown[] {
  if (output.data !== undefined) return output.data;
  throw new TensorFormatError(`"${output.name}" comes without data`);
}

/** @returns undefined for a text that is no JSON: it is looked at for words only */
function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
