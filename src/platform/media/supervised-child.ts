import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Logger } from '../logging/logger.js';
import { DecoderFailedError } from './video-decoder.port.js';

export interface SupervisionOptions {
  logger: Logger;
  /** Longest wait without a sign of progress while someone waits. A slow consumer does not count. */
  stallTimeoutMs: number;
}

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * Ends a decoder process on the first of: abort, no progress, time limit, failed start. Whoever waits for it is told
 * why. A process is never asked to stop: it may be stuck in foreign code, and it has nothing to tidy up.
 */
export class SupervisedChild {
  /** Resolves once the process is gone, also when it never started. */
  readonly exit: Promise<ChildExit>;
  #failure: { error: unknown } | undefined;
  #rejectWaiting: ((error: unknown) => void) | undefined;
  #stallTimer: NodeJS.Timeout | undefined;
  #totalTimer: NodeJS.Timeout | undefined;
  #signal: AbortSignal | undefined;
  readonly #errorOutput = new TextTail(4096);

  constructor(
    private readonly child: ChildProcess,
    private readonly options: SupervisionOptions,
  ) {
    this.exit = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      child.on('error', (error) => {
        this.fail(new DecoderFailedError('The video decoder could not be run', { cause: error }));
        if (child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    options.logger.debug('video decoder started', { pid: child.pid });
    child.stderr?.on('data', (chunk: Buffer) => this.#errorOutput.add(chunk));
  }

  /**
   * Lets a signal and a time limit end the process from now on, in place of those before.
   * @param totalTimeoutMs counted from now
   */
  obey(signal: AbortSignal, totalTimeoutMs?: number): void {
    this.rest();
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
    if (totalTimeoutMs === undefined) return;
    this.#totalTimer = setTimeout(() => {
      this.fail(new DecoderFailedError(`The video decoder was not done within ${totalTimeoutMs / 1000} s`));
    }, totalTimeoutMs);
  }

  /** Obeys nothing any more: what was asked of the process is done. */
  rest(): void {
    clearTimeout(this.#totalTimer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  /** The end of what the process wrote to its error output; for the log, never for the uploader. */
  get errorOutput(): string {
    return this.#errorOutput.text;
  }

  /** Call at every sign of progress. */
  progressed(): void {
    if (this.#stallTimer) this.#startStallTimer();
  }

  /** Waits for work that the process does, under supervision. One at a time. */
  watch<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (deliver: () => void) => {
        clearTimeout(this.#stallTimer);
        this.#stallTimer = undefined;
        this.#rejectWaiting = undefined;
        deliver();
      };
      work.then(
        (value) => settle(() => (this.#failure ? reject(this.#failure.error) : resolve(value))),
        (error: unknown) => settle(() => reject(this.#failure ? this.#failure.error : error)),
      );
      if (this.#failure) {
        reject(this.#failure.error);
        return;
      }
      this.#rejectWaiting = reject;
      this.#startStallTimer();
    });
  }

  /** Ends the process; the first reason is the one that is told. */
  fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.child.kill('SIGKILL');
    this.#rejectWaiting?.(error);
  }

  /** Ends the process if it still runs, waits until it is gone and lets go of everything. */
  async end(): Promise<void> {
    clearTimeout(this.#stallTimer);
    this.rest();
    this.child.kill('SIGKILL');
    for (const stream of this.child.stdio) stream?.destroy();
    if (this.child.connected) this.child.disconnect();
    await this.#goneWithin(EXIT_TIMEOUT_MS);
  }

  readonly #onAbort = (): void => this.fail(this.#signal?.reason);

  #startStallTimer(): void {
    const limitMs = this.options.stallTimeoutMs;
    clearTimeout(this.#stallTimer);
    this.#stallTimer = setTimeout(() => {
      this.fail(new DecoderFailedError(`The video decoder made no progress for ${limitMs / 1000} s`));
    }, limitMs);
  }

  async #goneWithin(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), limitMs);
    });
    const outcome = await Promise.race([this.exit, late]);
    clearTimeout(timer);
    // A killed process that stays is stuck in the kernel, mostly on a disk or a network share that does not answer.
    if (outcome === 'late') this.options.logger.warn('killed video decoder has not ended', { pid: this.child.pid });
  }
}

const EXIT_TIMEOUT_MS = 5_000;

/** One of the child's pipes, which its `stdio` option has asked for. */
export function pipeOf(child: ChildProcess, fileDescriptor: number): Readable {
  const stream = child.stdio[fileDescriptor];
  if (!stream || !('read' in stream)) throw new DecoderFailedError('The video decoder could not be run');
  return stream;
}

/** Keeps the end of a text of any length. */
class TextTail {
  text = '';
  constructor(private readonly maxLength: number) {}

  add(chunk: Buffer): void {
    this.text = (this.text + chunk.toString('utf8')).slice(-this.maxLength);
  }
}
