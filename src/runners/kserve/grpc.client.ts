import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { z } from 'zod';

import { DEFAULT_REMOTE_LIMITS, type RemoteLimits } from '../http-kit/remote-limits.js';
import { RunnerProtocolError, RunnerUnavailableError } from '../runner.errors.js';
import { grpcError } from './grpc-failure.js';
import {
  fromGrpcAnswer,
  grpcAnswerSchema,
  grpcModelMetadataSchema,
  grpcServerMetadataSchema,
  liveSchema,
  loadInferenceService,
  readySchema,
  toGrpcRequest,
  type GrpcMethodName,
} from './grpc.wire.js';
import type {
  InferenceAnswer,
  InferenceClient,
  InferenceRequest,
  ModelMetadata,
  ModelReference,
  ServerMetadata,
  TensorEncoding,
} from './inference.client.js';
import type { TransportOptions } from './rest.client.js';
import { TensorFormatError } from './tensor.js';

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'grpc:': '80', 'grpcs:': '443' };

interface Call {
  signal: AbortSignal;
  deadlineMs: number;
  carriesJob?: boolean;
}

/** The protocol over gRPC. All calls share one connection. */
export class GrpcInferenceClient implements InferenceClient {
  private readonly client: Client;
  private readonly methods = loadInferenceService();
  private readonly limits: RemoteLimits;
  private readonly closing = new AbortController();

  constructor(private readonly options: TransportOptions) {
    const { url } = options;
    this.limits = { ...DEFAULT_REMOTE_LIMITS, ...options.limits };
    const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : url.port;
    const channel = url.protocol === 'grpcs:' ? credentials.createSsl() : credentials.createInsecure();
    this.client = new Client(`dns:///${url.hostname}:${port}`, channel, {
      'grpc.max_receive_message_length': this.limits.answerBytes,
      'grpc.max_send_message_length': -1,
      // Whether a job may be given again is not for the transport to decide.
      'grpc.enable_retries': 0,
      // No proxy of the environment is asked: servers are named by who administrates.
      'grpc.enable_http_proxy': 0,
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  async isReady(signal: AbortSignal): Promise<boolean> {
    const small = this.small(signal);
    const [{ live }, { ready }] = await Promise.all([
      this.call('ServerLive', {}, liveSchema, small),
      this.call('ServerReady', {}, readySchema, small),
    ]);
    return live && ready;
  }

  async isModelReady(model: ModelReference, signal: AbortSignal): Promise<boolean> {
    const { ready } = await this.call('ModelReady', asMessage(model), readySchema, this.small(signal));
    return ready;
  }

  serverMetadata(signal: AbortSignal): Promise<ServerMetadata> {
    return this.call('ServerMetadata', {}, grpcServerMetadataSchema, this.small(signal));
  }

  modelMetadata(model: ModelReference, signal: AbortSignal): Promise<ModelMetadata> {
    return this.call('ModelMetadata', asMessage(model), grpcModelMetadataSchema, this.small(signal));
  }

  encodingFor(): TensorEncoding {
    return 'binary';
  }

  async infer(request: InferenceRequest, _: TensorEncoding, signal: AbortSignal): Promise<InferenceAnswer> {
    const call = { signal, deadlineMs: this.limits.stallMs, carriesJob: true };
    const answer = await this.call('ModelInfer', toGrpcRequest(request), grpcAnswerSchema, call);
    try {
      return fromGrpcAnswer(answer);
    } catch (error) {
      if (!(error instanceof TensorFormatError)) throw error;
      throw this.wrongShape(`sends an output that is none: ${error.message}`, error);
    }
  }

  close(): Promise<void> {
    this.closing.abort(new RunnerUnavailableError('The runner is closed.'));
    this.client.close();
    return Promise.resolve();
  }

  private small(signal: AbortSignal): Call {
    return { signal, deadlineMs: this.limits.callMs };
  }

  private async call<Output>(
    name: GrpcMethodName,
    request: object,
    schema: z.ZodType<Output>,
    call: Call,
  ): Promise<Output> {
    const parsed = schema.safeParse(await this.exchange(name, request, call));
    if (parsed.success) return parsed.data;
    throw this.wrongShape(`answers ${name} in a form that its contract does not allow`, parsed.error);
  }

  private exchange(
    name: GrpcMethodName,
    request: object,
    { signal, deadlineMs, carriesJob = false }: Call,
  ): Promise<unknown> {
    const { peer, token } = this.options;
    const { answerBytes } = this.limits;
    const { path, requestSerialize, responseDeserialize } = this.methods[name];
    const stops = [signal, this.closing.signal];
    for (const stop of stops) stop.throwIfAborted();
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return new Promise((resolve, reject) => {
      const settle = (error: ServiceError | null, answer?: object) => {
        for (const stop of stops) stop.removeEventListener('abort', onAbort);
        const stopped = stops.find(({ aborted }) => aborted);
        if (stopped !== undefined) reject(stopped.reason as Error);
        else if (error !== null) reject(grpcError(error, { peer, carriesJob, answerBytes }));
        else resolve(answer);
      };
      const call = this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        { deadline: Date.now() + deadlineMs },
        settle,
      );
      const onAbort = () => {
        call.cancel();
      };
      for (const stop of stops) stop.addEventListener('abort', onAbort);
    });
  }

  private wrongShape(words: string, cause: unknown): RunnerProtocolError {
    return new RunnerProtocolError('wrong-shape', `${this.options.peer} ${words}.`, { cause });
  }
}

const asMessage = ({ name, version = '' }: ModelReference) => ({ name, version });
