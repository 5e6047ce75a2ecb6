import { fork, type ChildProcess } from 'node:child_process';

import { childEntry } from '../../platform/child-entry.js';
import type { Logger } from '../../platform/logging/logger.js';
import {
  RunnerCancelledError,
  RunnerCrashedError,
  RunnerTimeoutError,
  RunnerUnavailableError,
  type RunnerError,
} from '../runner.errors.js';
import type { RunContext, RunInput, RunResult } from '../runner.port.js';
import type { WeightsFile } from './cns/load-weights.js';
import { toRunnerError } from './error-codec.js';
import { engineMessageSchema, type EngineMessage, type RunnerMessage } from './protocol.js';

/** An engine in the middle of a large frame cannot hear; it is ended after this long. */
const CANCEL_GRACE_MS = 500;
const STOP_GRACE_MS = 700;
/** Last words of a process that are worth a log entry. */
const STDERR_TAIL_LENGTH = 4000;

/** What an engine inherits. It works on untrusted videos, so database addresses and keys stay out. */
const PASSED_ENVIRONMENT = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SystemRoot',
  'LANG',
  'TZ',
  'LD_LIBRARY_PATH',
  'DYLD_LIBRARY_PATH',
];

export interface EngineOptions {
  logger: Logger;
  /** Threads that observe frames. */
  threads: number;
  ffmpegPath?: string;
  cnsWeights?: WeightsFile;
  picturesMaxBytes: number;
  /** An engine that says nothing for this long during a job is ended. */
  stallTimeoutMs: number;
}

interface Assignment {
  runId: number;
  /** The engine has confirmed that it works on it. */
  hasBegun: boolean;
  onMessage(message: EngineMessage): void;
  onGone(reason: RunnerError): void;
}

/** One engine process as seen from the runner. Works on one job at a time. */
export class EngineHandle {
  /** Jobs it was given so far. */
  assignedJobs = 0;
  /** Resident memory after the last job, bytes. */
  rssBytes = 0;
  /** False once its inner state cannot be trusted any more. */
  healthy = true;
  /** Resolves when the process has ended. */
  readonly gone: Promise<void>;

  private readonly child: ChildProcess;
  private readonly logger: Logger;
  private isReady = false;
  private startFailed = false;
  private neverBegan = false;
  private isGone = false;
  private assignment: Assignment | null = null;
  /** Why this side killed the process; null while it did not. */
  private verdict: RunnerError | null = null;
  private stderrTail = '';

  constructor(private readonly options: EngineOptions) {
    const { script, execArgv } = childEntry('engine-process', import.meta.url);
    const decoder = options.ffmpegPath === undefined ? [] : [options.ffmpegPath];
    this.child = fork(script, [String(options.threads), ...decoder], {
      execArgv,
      env: passedEnvironment(),
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.logger = options.logger.child({ enginePid: this.child.pid });
    this.gone = new Promise((resolve) => {
      const onGone = (detail: Record<string, unknown>) => {
        if (this.isGone) return;
        this.handleGone(detail);
        resolve();
      };
      this.child.once('exit', (exitCode, signal) => {
        onGone({ exitCode, signal });
      });
      this.child.on('error', (error) => {
        // Without a pid there was never a process, so no exit will follow.
        if (this.child.pid === undefined) onGone({ error: error.message });
        else this.logger.warn('engine channel failed', { error: error.message });
      });
    });
    this.child.on('message', (raw) => {
      this.handleMessage(raw);
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderrTail = (this.stderrTail + text).slice(-STDERR_TAIL_LENGTH);
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get alive(): boolean {
    return !this.isGone && this.verdict === null;
  }

  /** True once the process has reported that it can work. */
  get ready(): boolean {
    return this.isReady;
  }

  /** True when the process died by itself before it could work. */
  get failedToStart(): boolean {
    return this.startFailed;
  }

  /** True when the process died by itself before it began the job it was given. */
  get lostBeforeJob(): boolean {
    return this.neverBegan;
  }

  /** @throws RunnerError; afterwards the engine may be gone (see `alive`) or not fit for more jobs (`healthy`) */
  execute(input: RunInput, { signal, onProgress, onRows, onCheckpoint, onUsage }: RunContext): Promise<RunResult> {
    if (this.assignment !== null) throw new Error('An engine works on one job at a time.');
    const runId = ++this.assignedJobs;
    return new Promise((resolve, reject) => {
      let cancelTimer: NodeJS.Timeout | undefined;
      const stallTimer = setTimeout(() => {
        this.kill(new RunnerTimeoutError('The engine stopped reporting and was ended.'));
      }, this.options.stallTimeoutMs);
      const onAbort = () => {
        this.send({ type: 'cancel', runId });
        cancelTimer = setTimeout(() => {
          this.kill(new RunnerCancelledError('The job was stopped.'));
        }, CANCEL_GRACE_MS);
      };
      const settle = () => {
        clearTimeout(stallTimer);
        clearTimeout(cancelTimer);
        signal.removeEventListener('abort', onAbort);
        this.assignment = null;
      };
      this.assignment = {
        runId,
        hasBegun: false,
        onGone: (reason) => {
          settle();
          reject(signal.aborted ? new RunnerCancelledError('The job was stopped.') : reason);
        },
        onMessage: (message) => {
          stallTimer.refresh();
          if (message.type === 'progress') {
            const { processed, total } = message;
            this.tellProgress(() => {
              onProgress({ processed, total });
            });
          } else if (message.type === 'rows') {
            const { rows } = message;
            this.tellProgress(() => onRows?.(rows));
          } else if (message.type === 'usage') {
            const { usage } = message;
            this.tellProgress(() => onUsage?.(usage));
          } else if (message.type === 'checkpoint') {
            const { checkpoint } = message;
            this.tellProgress(() => onCheckpoint?.(checkpoint));
          } else if (message.type === 'done') {
            settle();
            if (signal.aborted) reject(new RunnerCancelledError('The job was stopped.'));
            else resolve(message.result);
          } else if (message.type === 'failed') {
            settle();
            this.healthy &&= message.code !== 'runner-crashed';
            reject(toRunnerError(message.code, message.message));
          }
        },
      };
      if (this.isGone) {
        this.assignment.onGone(new RunnerUnavailableError('The engine process has ended.'));
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      this.send({
        type: 'run',
        runId,
        input,
        wantsCheckpoints: onCheckpoint !== undefined,
        cnsWeights: this.options.cnsWeights,
        picturesMaxBytes: this.options.picturesMaxBytes,
      });
      if (signal.aborted) onAbort();
    });
  }

  /** Ends the process, first by closing the channel, then by force. Resolves when it has ended. */
  async stop(): Promise<void> {
    if (this.isGone) return;
    this.verdict ??= new RunnerUnavailableError('The runner is being closed.');
    if (this.child.connected) this.child.disconnect();
    const force = setTimeout(() => this.child.kill('SIGKILL'), STOP_GRACE_MS);
    await this.gone;
    clearTimeout(force);
  }

  /** A listener that throws is its owner's fault; the job goes on, and so does this process. */
  private tellProgress(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.logger.error('progress listener failed', { error });
    }
  }

  private kill(verdict: RunnerError): void {
    this.verdict ??= verdict;
    this.child.kill('SIGKILL');
  }

  private send(message: RunnerMessage): void {
    if (!this.child.connected) return; // its exit is on the way and settles the job
    this.child.send(message, (error) => {
      if (error !== null) this.logger.debug('message did not reach the engine', { error: error.message });
    });
  }

  private handleMessage(raw: unknown): void {
    const parsed = engineMessageSchema.safeParse(raw);
    if (!parsed.success) {
      this.logger.error('engine sent a malformed message', { issues: parsed.error.message });
      this.kill(new RunnerCrashedError('The engine sent a malformed message and was ended.'));
      return;
    }
    const message = parsed.data;
    if (message.type === 'ready') this.isReady = true;
    else if (message.type === 'log') this.logger[message.level](message.message, message.fields);
    else if (message.runId === this.assignment?.runId) {
      this.assignment.hasBegun = true;
      if ('rssBytes' in message) this.rssBytes = message.rssBytes;
      this.assignment.onMessage(message);
    }
  }

  private handleGone(detail: Record<string, unknown>): void {
    this.isGone = true;
    if (this.verdict === null) {
      this.startFailed = !this.isReady;
      this.neverBegan = this.assignment?.hasBegun === false;
      this.logger.warn('engine process ended by itself', { ...detail, stderr: this.stderrTail });
    }
    this.assignment?.onGone(this.verdict ?? this.unexpectedEnd());
  }

  private unexpectedEnd(): RunnerError {
    return this.isReady
      ? new RunnerCrashedError('The engine process died under the job.')
      : new RunnerUnavailableError('The engine process could not be started.');
  }
}

function passedEnvironment(): NodeJS.ProcessEnv {
  const passed = PASSED_ENVIRONMENT.filter((name) => process.env[name] !== undefined);
  return Object.fromEntries(passed.map((name) => [name, process.env[name]]));
}
