import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

import busboy from 'busboy';
import { ZipFile } from 'yazl';

export type ServerJobState = 'RECEIVING' | 'QUEUED' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';

export interface ReceivedFile {
  filename: string;
  bytes: number;
  sha256: string;
}

/** A job as the server sees it. */
export class ServerJob {
  readonly fields: Record<string, string> = {};
  readonly files: Record<string, ReceivedFile> = {};
  state: ServerJobState = 'RECEIVING';
  rows: number[][] = [];
  total = 0;
  /** Somebody has asked for its archive. */
  isFetched = false;
  stoppedAt: Date | null = null;
  private readonly changes = new EventEmitter().setMaxListeners(0);
  private readonly stopping = new AbortController();

  /** @param onChange told of every change of the job */
  constructor(onChange: () => void) {
    this.changes.on('change', onChange);
  }

  /** Pieces of files have arrived. */
  received(): void {
    this.changes.emit('change');
  }

  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  get isOver(): boolean {
    return this.state === 'COMPLETED' || this.state === 'FAILED' || this.state === 'CANCELLED';
  }

  get startFrame(): number {
    return Number(this.fields['start_frame']);
  }

  get frameStep(): number {
    return Number(this.fields['frame_step']);
  }

  get frames(): number[] {
    return this.rows.map((_, row) => this.startFrame + row * this.frameStep);
  }

  begin(): void {
    this.total = Math.floor((Number(this.fields['end_frame']) - this.startFrame) / this.frameStep) + 1;
    this.move('RUNNING');
  }

  add(row: number[]): void {
    this.rows.push(row);
    this.changes.emit('change');
  }

  end(state: 'COMPLETED' | 'FAILED' | 'CANCELLED'): void {
    if (this.isOver) return;
    this.stoppedAt = new Date();
    this.move(state);
  }

  /** The work is to stop; it says so itself when it has. */
  stop(): void {
    this.stopping.abort();
  }

  /** Until more than `after` frames are done, the state is another, or time is up. */
  async changed(after: number, waitSeconds: number): Promise<void> {
    const { state } = this;
    const isNews = (): boolean => this.rows.length > after || this.state !== state || this.isOver;
    const time = AbortSignal.timeout(waitSeconds * 1000);
    try {
      while (!isNews()) await once(this.changes, 'change', { signal: time });
    } catch (error) {
      if (!time.aborted) throw error;
    }
  }

  async untilOver(): Promise<void> {
    while (!this.isOver) await once(this.changes, 'change');
  }

  private move(state: ServerJobState): void {
    this.state = state;
    this.changes.emit('change');
  }
}

/**
 * Reads a form into the job, keeping nothing of the files but their sizes and digests.
 *
 * @param onBytes told of every piece of a file
 */
export async function receiveForm(
  request: IncomingMessage,
  job: ServerJob,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const parser = busboy({ headers: request.headers, limits: { files: 2, fields: 40 } });
  parser.on('field', (name: string, value: string) => (job.fields[name] = value));
  parser.on('file', (name, stream, { filename = '' }) => {
    const file: ReceivedFile = { filename, bytes: 0, sha256: '' };
    job.files[name] = file;
    const hash = createHash('sha256');
    stream.on('data', (chunk: Buffer) => {
      file.bytes += chunk.length;
      hash.update(chunk);
      onBytes(chunk.length);
    });
    stream.on('close', () => (file.sha256 = hash.digest('hex')));
    // A form that is cut off is told of by the parser.
    stream.on('error', () => undefined);
  });
  const finished = once(parser, 'close');
  // A connection that is cut ends the parser as well.
  request.once('close', () => {
    if (!request.readableEnded) parser.destroy(new Error('the upload was cut off'));
  });
  request.pipe(parser);
  await finished;
}

/** Works through the frames. @param standStillAfter frames, and then until it is stopped */
export async function workOn(
  job: ServerJob,
  { msPerFrame, velocity, standStillAfter = Infinity }: WorkOptions,
): Promise<void> {
  job.begin();
  try {
    while (job.rows.length < job.total) {
      if (job.rows.length >= standStillAfter) await once(job.signal, 'abort');
      if (msPerFrame > 0) await delay(msPerFrame, undefined, { signal: job.signal });
      job.signal.throwIfAborted();
      job.add(velocity(job.startFrame + job.rows.length * job.frameStep));
    }
  } catch (error) {
    if (!job.signal.aborted) throw error;
    job.end('CANCELLED');
  }
}

interface WorkOptions {
  msPerFrame: number;
  velocity: (frame: number) => number[];
  standStillAfter?: number;
}

/** The archive of a job: velocities as CSV, and the result as JSON. */
export async function archiveOf(job: ServerJob): Promise<Buffer> {
  const zip = new ZipFile();
  const rows = job.rows.map((row, index) => `${job.frames[index]},${row.join(',')},60,\n`);
  zip.addBuffer(Buffer.from(['frame,vx,vy,vz,wx,wy,wz,inliers,problem\n', ...rows].join('')), 'velocity.csv');
  zip.addBuffer(Buffer.from(JSON.stringify({ velocity: job.rows })), 'result.json');
  zip.end();
  return buffer(zip.outputStream);
}
