import { Worker } from 'node:worker_threads';
import { threadEntry } from '../../../platform/child-entry.js';
import { RunnerCrashedError } from '../../runner.errors.js';
import { toRunnerError } from '../error-codec.js';
import type { ObserverAnswer, ObserverAnswers, ObserverRequest, ObserverTask } from './observer-messages.js';

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** An observer thread as the main thread sees it. Tasks are done in the order in which they are given. */
export class ObserverWorker {
  private readonly pending = new Map<number, Pending>();
  private lastId = 0;
  private death: Error | null = null;

  /** @param worker runs `observer-thread` */
  constructor(private readonly worker: Worker = new Worker(threadEntry('observer-thread', import.meta.url))) {
    worker.on('message', (answer: ObserverAnswer) => {
      this.settle(answer);
    });
    worker.on('error', (cause) => {
      this.die(new RunnerCrashedError('An observer thread of the engine died.', { cause }));
    });
    worker.on('exit', (code) => {
      this.die(new RunnerCrashedError(`An observer thread of the engine ended with ${code}.`));
    });
  }

  /** Tasks that are not answered yet. */
  get load(): number {
    return this.pending.size;
  }

  get isAlive(): boolean {
    return this.death === null;
  }

  /**
   * @param transfer buffers that the thread takes over
   * @throws what the task throws; RunnerCrashedError when the thread died before it was done
   */
  perform<Task extends ObserverTask>(task: Task, transfer: ArrayBuffer[] = []): Promise<ObserverAnswers[Task['type']]> {
    if (this.death !== null) return Promise.reject(this.death);
    const id = ++this.lastId;
    return new Promise<unknown>((resolve, reject) => {
      this.worker.postMessage({ id, task } satisfies ObserverRequest, transfer);
      this.pending.set(id, { resolve, reject });
    }) as Promise<ObserverAnswers[Task['type']]>;
  }

  /** Ends the thread in the middle of whatever it does. */
  end(): void {
    this.die(new RunnerCrashedError('An observer thread of the engine was ended.'));
    void this.worker.terminate();
  }

  private settle(answer: ObserverAnswer): void {
    const pending = this.pending.get(answer.id);
    this.pending.delete(answer.id);
    if ('value' in answer) {
      pending?.resolve(answer.value);
      return;
    }
    const { code, message, stack } = answer.failure;
    const error = code === null ? new Error(message) : toRunnerError(code, message);
    if (stack !== undefined) error.stack = stack;
    pending?.reject(error);
  }

  private die(reason: Error): void {
    this.death ??= reason;
    for (const { reject } of this.pending.values()) reject(this.death);
    this.pending.clear();
  }
}
