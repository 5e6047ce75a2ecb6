import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { ServerCredentials } from '@grpc/grpc-js';

import { createGrpcFront } from './kserve-grpc-front.js';
import type { KserveFault } from './kserve-faults.js';
import { ScriptedModel, type ScriptedModelOptions, type SeenRequest } from './kserve-model.js';
import { createRestFront } from './kserve-rest-front.js';
import type { KserveServerState } from './kserve-state.js';

export type KserveTransport = 'rest' | 'grpc';

export interface KserveServerOptions extends ScriptedModelOptions {
  transport: KserveTransport;
  /** Asked for as bearer token with every call. */
  token?: string;
  /** What is wrong with it: always, or by the number of the request to the model, from 0. Default: nothing. */
  fault?: KserveFault | ((request: number) => KserveFault | undefined);
  /** Takes raw tensors over HTTP and says so; default true. */
  takesBinary?: boolean;
  /** Largest request it takes, bytes; default: any. */
  maxRequestBytes?: number;
  /** Name of the model; default `cns`. */
  modelName?: string;
  /** Its only version; default: it has none, and is asked for none. */
  modelVersion?: string;
  /** What it says of its model; null: nothing. Default: all that a job has something for. */
  inputs?: readonly TensorSaid[] | null;
  outputs?: readonly TensorSaid[] | null;
}

export interface TensorSaid {
  name: string;
  datatype: string;
  shape: number[];
}

export const MODEL_INPUTS: readonly TensorSaid[] = [
  { name: 'goal', datatype: 'UINT8', shape: [-1, -1] },
  { name: 'frames', datatype: 'UINT8', shape: [-1, -1, -1] },
  { name: 'frame_index', datatype: 'INT32', shape: [-1] },
  { name: 'intrinsics', datatype: 'FP64', shape: [4] },
  { name: 'distance', datatype: 'FP64', shape: [1] },
  { name: 'detector', datatype: 'BYTES', shape: [1] },
  { name: 'policy', datatype: 'BYTES', shape: [1] },
];

export const MODEL_OUTPUTS: readonly TensorSaid[] = [
  { name: 'velocity', datatype: 'FP64', shape: [-1, 6] },
  { name: 'keypoints', datatype: 'INT32', shape: [-1] },
  { name: 'matches', datatype: 'INT32', shape: [-1] },
  { name: 'inliers', datatype: 'INT32', shape: [-1] },
  { name: 'feature_error_px', datatype: 'FP64', shape: [-1] },
  { name: 'problem', datatype: 'BYTES', shape: [-1] },
  { name: 'goal_keypoints', datatype: 'INT32', shape: [1] },
];

/** A server of the Open Inference Protocol that computes nothing, over HTTP or gRPC, as broken as servers can be. */
export class KserveServer implements KserveServerState {
  readonly model: ScriptedModel;
  fault: KserveFault | undefined;
  private readonly listener: Server;
  private readonly sockets = new Set<Socket>();
  private readonly endFront: () => void;
  private port = 0;
  private readonly lost = new Set<string>();
  private asked = 0;
  private readonly watchers: (() => void)[] = [];
  private hanging = 0;

  private constructor(private readonly options: KserveServerOptions) {
    this.model = new ScriptedModel(options);
    this.fault = typeof options.fault === 'string' ? options.fault : undefined;
    const { listener, end } = options.transport === 'rest' ? restListener(this) : grpcListener(this);
    this.listener = listener;
    this.endFront = end;
    this.listener.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  static async start(options: KserveServerOptions): Promise<KserveServer> {
    const server = new KserveServer(options);
    server.listener.listen(0, '127.0.0.1');
    await once(server.listener, 'listening');
    server.port = (server.listener.address() as AddressInfo).port;
    return server;
  }

  get url(): URL {
    const scheme = this.options.transport === 'rest' ? 'http' : 'grpc';
    return new URL(`${scheme}://127.0.0.1:${this.port}`);
  }

  /** Requests that the model has been given, in order. */
  get seen(): readonly SeenRequest[] {
    return this.model.seen;
  }

  get token(): string | undefined {
    return this.options.token;
  }

  get maxRequestBytes(): number | undefined {
    return this.options.maxRequestBytes;
  }

  get serverMetadata(): object {
    const { takesBinary = true } = this.options;
    return { name: 'scripted', version: '1.2.3', extensions: takesBinary ? ['binary_tensor_data'] : [] };
  }

  get modelMetadata(): object {
    const { modelName = 'cns', modelVersion, inputs = MODEL_INPUTS, outputs = MODEL_OUTPUTS } = this.options;
    const versions = modelVersion === undefined ? [] : [modelVersion];
    return { name: modelName, versions, platform: 'script', inputs: inputs ?? [], outputs: outputs ?? [] };
  }

  faultOf(): KserveFault | undefined {
    const { fault } = this.options;
    const number = this.asked++;
    return typeof fault === 'function' ? fault(number) : this.fault;
  }

  hasModel(name = '', version = ''): boolean {
    const { modelName = 'cns', modelVersion = '' } = this.options;
    return this.fault !== 'no-such-model' && name === modelName && (version === '' || version === modelVersion);
  }

  /** Resolves when a request hangs, by the fault of that name. */
  untilHanging(): Promise<void> {
    if (this.hanging > 0) return Promise.resolve();
    return new Promise((resolve) => this.watchers.push(resolve));
  }

  pause(): Promise<never> {
    this.hanging++;
    for (const tell of this.watchers.splice(0)) tell();
    return new Promise(() => undefined);
  }

  /**
   * Cuts every connection at once, as `kill -9` does. Jobs that were under way break at their next request; later ones
   * find a server that was restarted.
   */
  crash(): void {
    for (const { id } of this.seen) this.lost.add(jobOf(id));
    this.cut();
  }

  isLost(id: string): boolean {
    return this.lost.has(jobOf(id));
  }

  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    if (!this.listener.listening) return;
    const closed = once(this.listener, 'close');
    this.listener.close();
    this.endFront();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

function restListener(state: KserveServerState): { listener: Server; end: () => void } {
  return { listener: createRestFront(state), end: () => undefined };
}

/** With a listener of its own, whose connections can be cut like any others. */
function grpcListener(state: KserveServerState): { listener: Server; end: () => void } {
  const front = createGrpcFront(state);
  const injector = front.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer((socket) => {
    injector.injectConnection(socket);
  });
  return {
    listener,
    end: () => {
      front.forceShutdown();
    },
  };
}

/** Requests are numbered behind the name of their job. */
function jobOf(id: string): string {
  return id.slice(0, id.lastIndexOf('.'));
}
