import { fileURLToPath } from 'node:url';

import { loadSync, type AnyDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { z } from 'zod';

import { listOf } from '../http-kit/list-schema.js';
import type { InferenceAnswer, InferenceParameters, InferenceRequest } from './inference.client.js';
import { readListedTensor, readRawTensor, TensorFormatError, type OutputTensor } from './tensor.js';

/** The gRPC form of the protocol. */

export const GRPC_SERVICE = 'inference.GRPCInferenceService';

const METHODS = ['ServerLive', 'ServerReady', 'ModelReady', 'ServerMetadata', 'ModelMetadata', 'ModelInfer'] as const;
export type GrpcMethodName = (typeof METHODS)[number];

/** @returns the methods of the protocol, which know how their messages are written and read */
export function loadInferenceService(): ServiceDefinition {
  const proto = fileURLToPath(new URL('open-inference.proto', import.meta.url));
  const definition = loadSync(proto, {
    keepCase: true,
    longs: Number,
    defaults: true,
    arrays: true,
    objects: true,
    oneofs: true,
  })[GRPC_SERVICE];
  if (!isService(definition)) throw new Error(`${proto} has no ${GRPC_SERVICE}`);
  return definition;
}

function isService(definition: AnyDefinition | undefined): definition is ServiceDefinition {
  return definition !== undefined && METHODS.every((name) => name in definition);
}

export const readySchema = z.object({ ready: z.boolean() });
export const liveSchema = z.object({ live: z.boolean() });

export const grpcServerMetadataSchema = z.object({
  name: z.string(),
  version: z.string(),
  extensions: z.array(z.string()),
});

const tensorMetadataSchema = z.object({
  name: z.string(),
  datatype: z.string(),
  shape: listOf(z.int().min(-1)),
});

export const grpcModelMetadataSchema = z.object({
  name: z.string(),
  inputs: listOf(tensorMetadataSchema),
  outputs: listOf(tensorMetadataSchema),
});

const bytesSchema = z.instanceof(Uint8Array);

const parameterSchema = z.object({
  parameter_choice: z.enum(['bool_param', 'int64_param', 'string_param', 'double_param', 'uint64_param']).optional(),
  bool_param: z.boolean().optional(),
  int64_param: z.number().optional(),
  string_param: z.string().optional(),
  double_param: z.number().optional(),
  uint64_param: z.number().optional(),
});
const parametersSchema = z.record(z.string(), parameterSchema);

/** Also those that are none: whether they may be is not for the transport to say. */
const numbers = z.array(z.custom<number>((value) => typeof value === 'number'));
const contentsSchema = z.object({
  bool_contents: z.array(z.boolean()),
  int_contents: numbers,
  int64_contents: numbers,
  uint_contents: numbers,
  uint64_contents: numbers,
  fp32_contents: numbers,
  fp64_contents: numbers,
  bytes_contents: z.array(bytesSchema),
});
type Contents = z.infer<typeof contentsSchema>;

export const grpcAnswerSchema = z.object({
  parameters: parametersSchema,
  outputs: listOf(
    z.object({
      name: z.string(),
      datatype: z.string(),
      shape: listOf(z.int().nonnegative()),
      contents: contentsSchema.nullish(),
    }),
  ),
  raw_output_contents: z.array(bytesSchema),
});

/** Tensors go as they are in memory: every server of the protocol reads them so. */
export function toGrpcRequest({ model, id, parameters, inputs, outputs }: InferenceRequest): object {
  return {
    model_name: model.name,
    model_version: model.version ?? '',
    id,
    parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, toParameter(value)])),
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    outputs: (outputs ?? []).map((name) => ({ name })),
    raw_input_contents: inputs.map(({ raw }) => raw),
  };
}

function toParameter(value: string | number | boolean) {
  if (typeof value === 'string') return { string_param: value };
  if (typeof value === 'boolean') return { bool_param: value };
  return Number.isSafeInteger(value) ? { int64_param: value } : { double_param: value };
}

/** @throws TensorFormatError when an output is none */
export function fromGrpcAnswer(answer: z.infer<typeof grpcAnswerSchema>): InferenceAnswer {
  const { outputs, raw_output_contents: raw } = answer;
  if (raw.length > 0 && raw.length !== outputs.length) {
    throw new TensorFormatError(`${raw.length} raw tensors come for ${outputs.length} outputs`);
  }
  return {
    parameters: fromParameters(answer.parameters),
    outputs: outputs.map((output, place): OutputTensor => {
      if (raw.length > 0) return readRawTensor(output, raw[place]);
      return readListedTensor(output, contentsOf(output));
    }),
  };
}

function fromParameters(parameters: z.infer<typeof parametersSchema>): InferenceParameters {
  return Object.fromEntries(
    Object.entries(parameters).flatMap(([name, { parameter_choice: choice, ...values }]) => {
      const value = choice === undefined ? undefined : values[choice];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

const CONTENTS_OF: Readonly<Record<string, keyof Contents | undefined>> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP32: 'fp32_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
};

function contentsOf({
  name,
  datatype,
  contents,
}: {
  name: string;
  datatype: string;
  contents?: Contents | null | undefined;
}) {
  const field = CONTENTS_OF[datatype];
  if (contents === null || contents === undefined || field === undefined) {
    throw new TensorFormatError(`"${name}" comes without data`);
  }
  return contents[field];
}
