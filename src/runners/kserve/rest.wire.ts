import { z } from 'zod';

import { listOf } from '../http-kit/list-schema.js';
import type { InferenceRequest, TensorEncoding } from './inference.client.js';
import { toJsonList } from './tensor.js';

/** The REST form of the protocol, with the binary tensor data extension. */

/** Length of the JSON before the raw tensors. */
export const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** Names that servers list when they take and give raw tensors. */
export const BINARY_EXTENSIONS: readonly string[] = ['binary_tensor_data'];

export const serverMetadataSchema = z.object({
  name: z.string(),
  version: z.string().optional().default(''),
  extensions: listOf(z.string()).nullish(),
});

const tensorMetadataSchema = z.object({
  name: z.string(),
  datatype: z.string(),
  shape: listOf(z.int().min(-1)),
});

export const modelMetadataSchema = z.object({
  name: z.string(),
  inputs: listOf(tensorMetadataSchema).nullish(),
  outputs: listOf(tensorMetadataSchema).nullish(),
});

/** Some servers say in the body what others say by the status. */
export const readinessSchema = z.object({ ready: z.boolean().optional() });

const parameterSchema = z.union([z.string(), z.number(), z.boolean()]);

/** Parameters whose values are none of the three simple kinds are the server's own affair. */
export const parametersSchema = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((parameters) =>
    Object.fromEntries(
      Object.entries(parameters ?? {}).flatMap(([name, value]) => {
        const parsed = parameterSchema.safeParse(value);
        return parsed.success ? [[name, parsed.data] as const] : [];
      }),
    ),
  );

export const inferenceAnswerSchema = z.object({
  parameters: parametersSchema,
  outputs: listOf(
    z.object({
      name: z.string(),
      datatype: z.string(),
      shape: listOf(z.int().nonnegative()),
      /** Of a raw tensor: how many of the bytes behind the JSON are its own. */
      parameters: z.object({ binary_data_size: z.int().nonnegative().optional() }).nullish(),
      data: z.array(z.unknown()).optional(),
    }),
  ),
});

export const errorSchema = z.object({ error: z.string() });

export interface WrittenRequest {
  contentType: string;
  headers: Readonly<Record<string, string>>;
  pieces: readonly Uint8Array[];
}

export function writeRequest(request: InferenceRequest, encoding: TensorEncoding): WrittenRequest {
  return encoding === 'binary' ? writeBinaryRequest(request) : writeJsonRequest(request);
}

/** JSON that tells of the tensors, then the tensors. */
function writeBinaryRequest({ id, parameters, inputs, outputs }: InferenceRequest): WrittenRequest {
  const json = JSON.stringify({
    id,
    // For outputs that are not named one by one.
    parameters: { ...parameters, binary_data_output: true },
    inputs: inputs.map(({ name, datatype, shape, raw }) => {
      return { name, datatype, shape, parameters: { binary_data_size: raw.byteLength } };
    }),
    ...(outputs === null ? {} : { outputs: outputs.map((name) => ({ name, parameters: { binary_data: true } })) }),
  });
  const head = Buffer.from(json, 'utf8');
  return {
    contentType: 'application/octet-stream',
    headers: { [JSON_LENGTH_HEADER]: String(head.length) },
    pieces: [head, ...inputs.map(({ raw }) => raw)],
  };
}

/** Written by hand around the lists of numbers: as JavaScript arrays, pictures would take fifty times their size. */
function writeJsonRequest({ id, parameters, inputs, outputs }: InferenceRequest): WrittenRequest {
  const pieces: Uint8Array[] = [];
  const write = (text: string) => pieces.push(Buffer.from(text, 'utf8'));
  write(`${JSON.stringify({ id, parameters }).slice(0, -1)},"inputs":[`);
  for (const [place, input] of inputs.entries()) {
    const { name, datatype, shape } = input;
    write(`${place === 0 ? '' : ','}${JSON.stringify({ name, datatype, shape }).slice(0, -1)},"data":`);
    pieces.push(toJsonList(input));
    write('}');
  }
  write(outputs === null ? ']}' : `],"outputs":${JSON.stringify(outputs.map((name) => ({ name })))}}`);
  return { contentType: 'application/json', headers: {}, pieces };
}
