import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import { DETECTOR_NAMES } from '../../../src/runners/detector.js';
import { answerAnalysis, sendArchive } from './fastapi-answers.js';
import { receiveForm, ServerJob, workOn } from './fastapi-jobs.js';
import { RETRY_AFTER_SECONDS, type ServerFault } from './server-faults.js';

export interface FastApiServerOptions {
  /** Jobs at the same time; one more is answered 409. Default 4. */
  slots?: number;
  /** Milliseconds each frame takes; default 0. */
  msPerFrame?: number;
  /** Asked for as bearer token with every call. */
  token?: string;
  /** `legacy` knows `POST /analyze` and the archive, and says no more than the five fields. Default `full`. */
  contract?: 'full' | 'legacy';
  /** What is wrong with it: always, or by job once its input is there. Default: nothing. */
  fault?: ServerFault | ((job: ServerJob, index: number) => ServerFault | undefined);
  /** Devices it claims to have; default: a GPU and the CPU. */
  devices?: readonly string[];
  /** Largest request it takes, bytes. */
  maxUploadBytes?: number;
  /** Weights it claims to have for the policy `cns`. */
  digest?: string;
  /** Default: a small value that depends on the frame. */
  velocity?: (frame: number) => number[];
  port?: number;
}

/** Moments of a job: its input arrives, work begins, some frames are done, its archive is fetched. */
export type ServerStage = 'sending' | 'accepted' | 'midway' | 'fetching';

/** What the server has seen. */
export interface ServerCounters {
  inFlight: number;
  /** The most jobs at the same time. */
  peak: number;
  analyses: number;
  completed: number;
  refused: number;
  cancels: number;
  downloads: number;
  /** Of files, in all. */
  bytesReceived: number;
}

export interface FastApiServer {
  readonly url: URL;
  readonly counters: Readonly<ServerCounters>;
  /** Every job that was taken, in order. */
  readonly jobs: readonly ServerJob[];
  /** Resolves when the job of the platform, in any of its attempts, is at the stage or has been. */
  untilStage(stage: ServerStage, jobId: string): Promise<void>;
  /** Changes what is wrong with it from now on. */
  setFault(fault: FastApiServerOptions['fault']): void;
  /** Cuts every connection at once, as `kill -9` does; new ones find a server that knows nothing of the jobs before. */
  crash(): void;
  close(): Promise<void>;
}

/**
 * A model server of the FastAPI contract that computes nothing: velocities by script, real HTTP, uploads in constant
 * memory. With a fault it is as broken as servers can be.
 */
export async function startFastApiServer(options: FastApiServerOptions = {}): Promise<FastApiServer> {
  const scripted = new ScriptedServer(options);
  await scripted.listen(options.port ?? 0);
  return scripted;
}

const BEFORE_INPUT: Partial<Record<ServerFault, [status: number, code: string, retryAfter: () => string | null]>> = {
  'no-slot': [409, 'no-free-slot', () => String(RETRY_AFTER_SECONDS['no-slot'])],
  'no-slot-silent': [409, 'no-free-slot', () => null],
  'too-many-requests': [
    429,
    'no-free-slot',
    () => new Date(Date.now() + RETRY_AFTER_SECONDS['too-many-requests'] * 1000).toUTCString(),
  ],
  'not-ready': [503, 'not-ready', () => String(RETRY_AFTER_SECONDS['not-ready'])],
  'refuses-token': [401, 'unauthorized', () => null],
  'no-such-route': [404, 'not-found', () => null],
};

class ScriptedServer implements FastApiServer {
  readonly counters: ServerCounters = {
    inFlight: 0,
    peak: 0,
    analyses: 0,
    completed: 0,
    refused: 0,
    cancels: 0,
    downloads: 0,
    bytesReceived: 0,
  };
  readonly url = new URL('http://127.0.0.1/');
  readonly jobs: ServerJob[] = [];
  private readonly known = new Map<string, ServerJob>();
  private readonly changes = new EventEmitter().setMaxListeners(0);
  private readonly faults = new Map<string, ServerFault | undefined>();
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private fault: FastApiServerOptions['fault'];

  constructor(private readonly options: FastApiServerOptions) {
    this.fault = options.fault;
    this.server = createServer((request, response) => {
      this.route(request, response).catch((error: unknown) => {
        // A connection that was cut is what these tests are about; anything else is a bug of this file.
        const isCut = request.socket.destroyed || response.destroyed;
        if (!isCut) response.destroy(error instanceof Error ? error : new Error(String(error)));
      });
    });
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.sockets.delete(socket));
    });
    // An upload takes as long as it takes.
    this.server.requestTimeout = 0;
  }

  async listen(port: number): Promise<void> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.url.port = String((this.server.address() as AddressInfo).port);
  }

  async untilStage(stage: ServerStage, jobId: string): Promise<void> {
    const isReached = ([id, job]: [string, ServerJob]): boolean => id.startsWith(jobId) && isAt(job, stage);
    while (![...this.known].some(isReached)) await once(this.changes, 'change');
  }

  setFault(fault: FastApiServerOptions['fault']): void {
    this.fault = fault;
  }

  crash(): void {
    this.known.clear();
    for (const job of this.jobs) job.stop();
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.crash();
    await closed;
  }

  private async route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url);
    const { token, contract = 'full' } = this.options;
    if (pathname === '/_counters') {
      this.send(response, 200, this.counters);
      return;
    }
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      this.refuse(response, 401, 'unauthorized');
      return;
    }
    if (pathname === '/analyze' && request.method === 'POST') return this.analyze(request, response);
    const [, folder, name = '', part] = pathname.split('/');
    if (folder === 'results') return this.download(response, decodeURIComponent(name).replace(/\.zip$/, ''));
    if (contract === 'legacy') {
      this.refuse(response, 404, 'not-found');
      return;
    }
    if (pathname === '/health') {
      this.health(response);
      return;
    }
    if (pathname === '/capabilities') {
      this.send(response, 200, this.capabilities());
      return;
    }
    const job = this.known.get(decodeURIComponent(name));
    if (folder !== 'jobs' || job === undefined) {
      this.refuse(response, 404, 'not-found');
      return;
    }
    if (part === 'velocity') {
      this.partialRows(response, job, Number(searchParams.get('from')));
      return;
    }
    if (part === 'cancel' && request.method === 'POST') return this.cancel(response, job);
    await job.changed(Number(searchParams.get('after')), Number(searchParams.get('wait')));
    const processed = this.faultOf(job) === 'wrong-progress' ? 'many' : job.rows.length;
    this.send(response, 200, { ...jobState(job), processed });
  }

  private async analyze(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { slots = 4, maxUploadBytes = Infinity } = this.options;
    const index = this.counters.analyses++;
    const early = typeof this.fault === 'string' ? this.fault : undefined;
    if (early === 'redirect-once' && !request.url?.endsWith('?again')) {
      return void response.writeHead(307, { Location: '/analyze?again' }).end();
    }
    const isFull = this.counters.inFlight >= slots;
    const refusal = isFull ? BEFORE_INPUT['no-slot'] : BEFORE_INPUT[early ?? 'half-answer'];
    if (refusal !== undefined) {
      this.refuse(response, refusal[0], refusal[1], refusal[2]());
      return;
    }
    if (early === 'reads-nothing') return;
    if (early === 'too-large-input' || Number(request.headers['content-length']) > maxUploadBytes) {
      response.setHeader('connection', 'close');
      this.refuse(response, 413, 'too-large');
      return;
    }
    this.counters.peak = Math.max(this.counters.peak, ++this.counters.inFlight);
    const job = new ServerJob(() => this.changes.emit('change'));
    response.once('close', () => {
      this.counters.inFlight--;
      // Closing the connection cancels the job; after the answer that changes nothing.
      if (!job.isOver) job.stop();
    });
    try {
      await this.receive(request, job, early);
    } finally {
      if (job.state === 'RECEIVING' && job.signal.aborted) job.end('CANCELLED');
    }
    const fault = this.remember(job, index);
    await this.work(job, fault === 'stands-still' ? 1 : Infinity);
    if (fault === 'never-answers') await silence(job, response);
    else job.end('COMPLETED');
    await answerAnalysis(job, fault, { response, contract: this.options.contract ?? 'full' });
    if (response.statusCode === 200) this.counters.completed++;
  }

  private receive(request: IncomingMessage, job: ServerJob, early: ServerFault | undefined): Promise<void> {
    return receiveForm(request, job, (bytes) => {
      this.counters.bytesReceived += bytes;
      if (early === 'dies-mid-upload') request.socket.resetAndDestroy();
      const id = job.fields['jobId'] ?? '';
      // Fields come before files, so the job has its name by now.
      this.known.set(id, job);
      job.received();
    });
  }

  private remember(job: ServerJob, index: number): ServerFault | undefined {
    const jobId = job.fields['jobId'];
    this.jobs.push(job);
    this.known.set(jobId, job);
    const fault = typeof this.fault === 'function' ? this.fault(job, index) : this.fault;
    this.faults.set(jobId, fault);
    return fault;
  }

  private work(job: ServerJob, standStillAfter = Infinity): Promise<void> {
    const { msPerFrame = 0, velocity = smallVelocity } = this.options;
    return workOn(job, { msPerFrame, velocity, standStillAfter });
  }

  private faultOf(job: ServerJob): ServerFault | undefined {
    return this.faults.get(job.fields['jobId']);
  }

  private async download(response: ServerResponse, id: string): Promise<void> {
    this.counters.downloads++;
    const job = this.known.get(id);
    if (job === undefined) {
      this.refuse(response, 404, 'not-found');
      return;
    }
    job.isFetched = true;
    job.received();
    await sendArchive(job, this.faultOf(job), response);
  }

  private partialRows(response: ServerResponse, job: ServerJob, from: number): void {
    const rows = job.rows.slice(from);
    const velocity = this.faultOf(job) === 'wrong-rows' ? rows.map((row) => row.map((value) => value + 1)) : rows;
    this.send(response, 200, { from, velocity });
  }

  private async cancel(response: ServerResponse, job: ServerJob): Promise<void> {
    this.counters.cancels++;
    const fault = this.faultOf(job);
    if (fault === 'lost-cancel') return;
    if (fault === 'completes-on-cancel') job.end('COMPLETED');
    if (fault === 'slow-cancel') await new Promise((resolve) => setTimeout(resolve, 5000).unref());
    job.stop();
    if (job.state === 'RECEIVING') job.end('CANCELLED');
    await job.untilOver();
    this.send(response, 200, jobState(job));
  }

  private health(response: ServerResponse): void {
    const { slots = 4 } = this.options;
    const { inFlight } = this.counters;
    const isStarting = this.fault === 'not-ready';
    const status = isStarting ? 'STARTING' : inFlight >= slots ? 'BUSY' : 'READY';
    this.send(response, isStarting ? 503 : 200, { status, slots, in_flight: inFlight, queued: 0, device: 'cuda:0' });
  }

  private capabilities() {
    const { slots = 4, devices = ['cuda:0', 'cpu'], maxUploadBytes = null, digest = null } = this.options;
    return {
      name: 'scripted',
      version: '1.2.3',
      contract: 'cns/1',
      models: [{ name: 'cns', version: '1', digest }],
      detectors: DETECTOR_NAMES,
      policies: ['ibvs', 'cns'],
      devices,
      slots,
      max_upload_bytes: maxUploadBytes,
      features: ['progress', 'cancel', 'partial', 'energy'],
    };
  }

  private refuse(response: ServerResponse, status: number, code: string, retryAfter: string | null = null): void {
    this.counters.refused++;
    if (retryAfter !== null) response.setHeader('Retry-After', retryAfter);
    this.send(response, status, { type: 'about:blank', title: code, status, code, detail: `As scripted: ${code}.` });
  }

  private send(response: ServerResponse, status: number, body: unknown): void {
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    response.writeHead(status, { 'Content-Type': type });
    response.end(JSON.stringify(body));
  }
}

function isAt(job: ServerJob, stage: ServerStage): boolean {
  switch (stage) {
    case 'sending':
      return true; // It is known from the first piece of its input.
    case 'accepted':
      return job.state !== 'RECEIVING';
    case 'midway':
      return job.rows.length > 0;
    case 'fetching':
      return job.isFetched;
  }
}

/** Until somebody stops the job, or gives up waiting for it. */
async function silence(job: ServerJob, response: ServerResponse): Promise<void> {
  if (!job.signal.aborted) await Promise.race([once(job.signal, 'abort'), once(response, 'close')]);
  job.end('CANCELLED');
}

function jobState(job: ServerJob) {
  return {
    job_id: job.fields['jobId'],
    state: job.state,
    processed: job.rows.length,
    total: job.total,
    stopped_at: job.stoppedAt,
    detail: null,
  };
}

function smallVelocity(frame: number): number[] {
  return [0.01 * frame, 0, 0, 0, 0, 0.001 * frame];
}
