import { Metadata, Server, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';

import { loadInferenceService } from '../../../src/runners/kserve/grpc.wire.js';
import { RETRY_AFTER_SECONDS } from './kserve-faults.js';
import { ModelRefusal, type ServedOutput } from './kserve-model.js';
import type { KserveServerState } from './kserve-state.js';

type Call = ServerUnaryCall<Message, object>;
type Reply = sendUnaryData<object>;

/** Fields of any message of the protocol, as far as this server reads them. */
interface Message {
  name?: string;
  version?: string;
  model_name?: string;
  model_version?: string;
  id?: string;
  parameters?: Record<string, Record<string, unknown> & { parameter_choice?: string }>;
  inputs?: { name: string; datatype: string; shape: number[] }[];
  outputs?: { name: string }[];
  raw_input_contents?: Buffer[];
}

/** The protocol over gRPC; outputs go in typed lists by turns with raw tensors, for clients have to read both. */
export function createGrpcFront(state: KserveServerState): Server {
  const server = new Server({
    'grpc.max_receive_message_length': state.maxRequestBytes ?? -1,
    'grpc.max_send_message_length': -1,
  });
  const small = (answer: (call: Call) => object) => (call: Call, reply: Reply) => {
    const refusal = refusalOf(call, state);
    if (refusal !== null) reply(refusal);
    else reply(null, answer(call));
  };
  const ofModel = (answer: () => object) => (call: Call, reply: Reply) => {
    const { name = '', version = '' } = call.request;
    const refusal = refusalOf(call, state);
    if (refusal !== null) reply(refusal);
    else if (!state.hasModel(name, version))
      reply({ code: status.NOT_FOUND, details: `Model "${name}" is not known.` });
    else reply(null, answer());
  };
  server.addService(loadInferenceService(), {
    ServerLive: small(() => ({ live: true })),
    ServerReady: small(() => ({ ready: state.fault !== 'server-not-ready' })),
    ServerMetadata: small(() => state.serverMetadata),
    ModelReady: ofModel(() => ({ ready: state.fault !== 'model-not-ready' })),
    ModelMetadata: ofModel(() => state.modelMetadata),
    ModelInfer: (call: Call, reply: Reply) => {
      infer(call, state).then(
        (answer) => {
          reply(null, answer);
        },
        (error: unknown) => {
          reply(asStatus(error));
        },
      );
    },
  });
  return server;
}

function refusalOf({ metadata }: Call, { token, fault }: KserveServerState) {
  const isKnown = token === undefined || metadata.get('authorization')[0] === `Bearer ${token}`;
  return isKnown && fault !== 'refuses-token' ? null : { code: status.UNAUTHENTICATED, details: 'Who are you?' };
}

async function infer(call: Call, state: KserveServerState): Promise<object> {
  const { id = '', parameters = {}, inputs = [], outputs = [], raw_input_contents: raw = [] } = call.request;
  const fault = state.faultOf();
  const gone = new AbortController();
  call.on('cancelled', () => {
    gone.abort();
  });
  if (fault === 'never-answers') await state.pause();
  if (fault === 'dies' || state.isLost(id)) state.cut();
  const served = {
    id,
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([name, value]) => [name, value[value.parameter_choice ?? '']]),
    ),
    inputs: inputs.map((input, place) => ({ ...input, raw: raw[place] })),
    outputs: outputs.map(({ name }) => name),
  };
  const answered = await state.model.infer(served, 'grpc', fault, gone.signal);
  return {
    model_name: 'cns',
    id,
    parameters: Object.fromEntries(
      Object.entries(state.model.reports).map(([name, value]) => [
        name,
        typeof value === 'string' ? { string_param: value } : { double_param: value },
      ]),
    ),
    outputs: answered.map((output) => {
      const { name, datatype, shape } = output;
      return { name, datatype, shape, contents: contentsOf(output) };
    }),
  };
}

function contentsOf({ datatype, values }: ServedOutput): object {
  if (datatype === 'BYTES') return { bytes_contents: values.map((value) => Buffer.from(String(value))) };
  return datatype === 'FP64' ? { fp64_contents: values } : { int_contents: values };
}

const CODES = {
  unusable: status.INVALID_ARGUMENT,
  'bad-request': status.INVALID_ARGUMENT,
  internal: status.INTERNAL,
  full: status.RESOURCE_EXHAUSTED,
  'full-silent': status.UNAVAILABLE,
} as const;

function asStatus(error: unknown) {
  if (!(error instanceof ModelRefusal)) return { code: status.UNKNOWN, details: String(error) };
  const metadata = new Metadata();
  if (error.kind === 'full') metadata.set('grpc-retry-pushback-ms', String(RETRY_AFTER_SECONDS * 1000));
  return { code: CODES[error.kind], details: error.message, metadata };
}
