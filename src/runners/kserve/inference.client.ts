import type { InputTensor, OutputTensor } from './tensor.js';

/** The Open Inference Protocol (v2) as InferNode uses it, whichever transport carries it. */

export interface ModelReference {
  name: string;
  /** Left out: the server chooses. */
  version?: string | undefined;
}

export interface ServerMetadata {
  name: string;
  version: string;
  extensions: readonly string[];
}

export interface TensorMetadata {
  name: string;
  datatype: string;
  /** -1 where a dimension may have any length. */
  shape: readonly number[];
}

/** Lists are empty when the server does not say. */
export interface ModelMetadata {
  name: string;
  inputs: readonly TensorMetadata[];
  outputs: readonly TensorMetadata[];
}

/** What a request or an answer says beside its tensors. */
export type InferenceParameters = Readonly<Record<string, string | number | boolean>>;

export interface InferenceRequest {
  model: ModelReference;
  id: string;
  parameters: InferenceParameters;
  inputs: readonly InputTensor[];
  /** Names of the outputs wanted; null: whatever the model has. */
  outputs: readonly string[] | null;
}

export interface InferenceAnswer {
  parameters: InferenceParameters;
  outputs: readonly OutputTensor[];
}

/** How the tensors of a request travel: as they are in memory, or as numbers in a text, four times as large. */
export type TensorEncoding = 'binary' | 'json';

/** Every method throws RunnerError, or the reason of the signal when that fires. */
export interface InferenceClient {
  /** Whether the server is alive and ready to take requests. */
  isReady(signal: AbortSignal): Promise<boolean>;
  isModelReady(model: ModelReference, signal: AbortSignal): Promise<boolean>;
  serverMetadata(signal: AbortSignal): Promise<ServerMetadata>;
  modelMetadata(model: ModelReference, signal: AbortSignal): Promise<ModelMetadata>;
  /** @param encoding those of the transport that have a choice take the one wanted */
  infer(request: InferenceRequest, encoding: TensorEncoding, signal: AbortSignal): Promise<InferenceAnswer>;
  /** How requests can be sent to a server with these extensions. */
  encodingFor(server: ServerMetadata): TensorEncoding;
  /** Ends every call that is under way. Safe to call twice. */
  close(): Promise<void>;
}
