import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

import { RETRY_AFTER_SECONDS } from './kserve-faults.js';
import { ModelRefusal, type ServedOutput, type ServedRequest, type ServedTensor } from './kserve-model.js';
import type { KserveServerState } from './kserve-state.js';

/** The protocol over HTTP: numbers in JSON, or raw tensors behind it. */
export function createRestFront(state: KserveServerState): Server {
  return createServer((request, response) => {
    route(request, response, state).catch((error: unknown) => {
      // A connection that was cut is what these tests are about; anything else is a bug of this file.
      if (!request.socket.destroyed) response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
}

async function route(request: IncomingMessage, response: ServerResponse, state: KserveServerState): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://server');
  const { token, fault } = state;
  const isUnknown =
    fault === 'refuses-token' || (token !== undefined && request.headers.authorization !== `Bearer ${token}`);
  if (isUnknown) {
    send(response, 401, { error: 'Who are you?' });
    return;
  }
  if (pathname === '/v2/health/live') {
    send(response, 200, { live: true });
    return;
  }
  if (pathname === '/v2/health/ready') {
    send(response, fault === 'server-not-ready' ? 503 : 200, {});
    return;
  }
  if (pathname === '/v2') {
    send(response, 200, state.serverMetadata);
    return;
  }
  const [, v2, models, name, ...rest] = pathname.split('/').map(decodeURIComponent);
  if (v2 !== 'v2' || models !== 'models' || !state.hasModel(name, rest[0] === 'versions' ? rest[1] : '')) {
    send(response, 404, { error: `Model "${name}" is not known.` });
    return;
  }
  const action = rest[0] === 'versions' ? rest[2] : rest[0];
  if (action === undefined) {
    send(response, 200, state.modelMetadata);
    return;
  }
  if (action === 'ready') {
    send(response, fault === 'model-not-ready' ? 400 : 200, {});
    return;
  }
  if (action === 'infer') return infer(request, response, state);
  send(response, 404, { error: 'No such path.' });
}

async function infer(request: IncomingMessage, response: ServerResponse, state: KserveServerState): Promise<void> {
  const { maxRequestBytes = Infinity } = state;
  if (Number(request.headers['content-length']) > maxRequestBytes) {
    request.resume();
    send(response, 413, { error: 'The request is too large.' });
    return;
  }
  const body = await buffer(request);
  const jsonLength = request.headers['inference-header-content-length'];
  const encoding = jsonLength === undefined ? 'json' : 'binary';
  const served = jsonLength === undefined ? readJson(body) : readBinary(body, Number(jsonLength));
  const fault = state.faultOf();
  if (fault === 'redirect-elsewhere') return void response.writeHead(307, { location: 'http://127.0.0.1:9/' }).end();
  if (fault === 'html') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>');
  if (fault === 'never-answers') return state.pause();
  if (fault === 'dies' || state.isLost(served.id)) return void request.socket.resetAndDestroy();
  const gone = new AbortController();
  response.once('close', () => {
    gone.abort();
  });
  try {
    const outputs = await state.model.infer(served, encoding, fault, gone.signal);
    const isBinary = encoding === 'binary' && fault !== 'nan';
    await sendOutputs(response, outputs, { isBinary, fault, parameters: state.model.reports, id: served.id });
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!(error instanceof ModelRefusal)) throw error;
    const retryAfter = { 'retry-after': String(RETRY_AFTER_SECONDS) };
    send(response, STATUS[error.kind], { error: error.message }, error.kind === 'full' ? retryAfter : {});
  }
}

const STATUS = { unusable: 400, 'bad-request': 400, internal: 500, full: 429, 'full-silent': 503 } as const;

interface Answer {
  id: string;
  isBinary: boolean;
  fault: string | undefined;
  parameters: Readonly<Record<string, string | number>>;
}

async function sendOutputs(
  response: ServerResponse,
  outputs: readonly ServedOutput[],
  { id, isBinary, fault, parameters }: Answer,
): Promise<void> {
  const raws = outputs.map(rawOf);
  const described = outputs.map(({ name, datatype, shape, values }, place) =>
    isBinary
      ? { name, datatype, shape, parameters: { binary_data_size: raws[place].length } }
      : { name, datatype, shape, data: values },
  );
  const json = Buffer.from(JSON.stringify({ model_name: 'cns', id, parameters, outputs: described }));
  const body = isBinary ? Buffer.concat([json, ...raws]) : json;
  response.writeHead(200, {
    'content-type': isBinary ? 'application/octet-stream' : 'application/json',
    ...(isBinary ? { 'inference-header-content-length': String(json.length) } : {}),
    ...(fault === 'half-answer' ? { 'content-length': String(body.length) } : {}),
  });
  if (fault === 'half-answer') {
    response.write(body.subarray(0, body.length / 2), () => response.socket?.resetAndDestroy());
    return;
  }
  if (fault === 'trickle') {
    for (const byte of body) {
      if (response.destroyed) return;
      response.write(Buffer.of(byte));
      await delay(20);
    }
  }
  response.end(fault === 'trickle' ? undefined : body);
}

function rawOf({ datatype, values }: ServedOutput): Buffer {
  if (datatype === 'BYTES') {
    return Buffer.concat(
      values.flatMap((value) => {
        const text = Buffer.from(String(value));
        const length = Buffer.alloc(4);
        length.writeUInt32LE(text.length);
        return [length, text];
      }),
    );
  }
  const numbers = values.map(Number);
  return Buffer.from(datatype === 'FP64' ? new Float64Array(numbers).buffer : new Int32Array(numbers).buffer);
}

interface WireInput {
  name: string;
  datatype: string;
  shape: number[];
  parameters?: { binary_data_size?: number };
  data?: (number | string)[];
}

interface WireRequest {
  id: string;
  parameters?: Record<string, unknown>;
  inputs: WireInput[];
  outputs?: { name: string }[];
}

function readJson(body: Buffer): ServedRequest {
  const request = JSON.parse(body.toString()) as WireRequest;
  return served(
    request,
    request.inputs.map(({ data = [], ...input }) => ({ ...input, raw: rawOfList(input.datatype, data) })),
  );
}

function readBinary(body: Buffer, jsonLength: number): ServedRequest {
  const request = JSON.parse(body.subarray(0, jsonLength).toString()) as WireRequest;
  let offset = jsonLength;
  const inputs = request.inputs.map(({ parameters, ...input }) => {
    const end = offset + (parameters?.binary_data_size ?? 0);
    const raw = body.subarray(offset, end);
    offset = end;
    return { ...input, raw };
  });
  if (offset !== body.length) throw new Error(`${body.length - offset} bytes are left over`);
  return served(request, inputs);
}

function served({ id, parameters = {}, outputs = [] }: WireRequest, inputs: ServedTensor[]): ServedRequest {
  return { id, parameters, inputs, outputs: outputs.map(({ name }) => name) };
}

function rawOfList(datatype: string, data: readonly (number | string)[]): Buffer {
  if (datatype === 'UINT8') return Buffer.from(data.map(Number));
  if (datatype === 'BYTES' || datatype === 'FP64') return rawOf({ name: '', shape: [], datatype, values: [...data] });
  return rawOf({ name: '', shape: [], datatype: 'INT32', values: [...data] });
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}
