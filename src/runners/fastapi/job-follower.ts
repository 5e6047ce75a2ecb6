import { setTimeout as delay } from 'node:timers/promises';

import type { Logger } from '../../platform/logging/logger.js';
import type { HttpClient } from '../http-kit/http-client.js';
import { SMALL_ANSWER_BYTES, type RemoteLimits } from '../http-kit/remote-limits.js';
import { RunnerTimeoutError } from '../runner.errors.js';
import type { RunContext } from '../runner.port.js';
import { finiteRows } from './from-response.js';
import { largestAnswer } from './largest-answer.js';
import { refusalOf } from './refusal.js';
import { jobStateSchema, partialVelocitySchema, type Feature } from './wire.js';

/** How long the server may keep a question open until there is news. */
const POLL_SECONDS = 10;
/** Frames may finish faster than anybody wants to hear of them. */
const QUESTION_EVERY_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

export interface FollowedJob {
  serverJobId: string;
  /** Frames in all. */
  total: number;
  features: ReadonlySet<Feature>;
  context: Pick<RunContext, 'onProgress' | 'onRows'>;
}

interface Deps {
  client: HttpClient;
  limits: RemoteLimits;
  logger: Logger;
  peer: string;
}

/** Tells how far a job is while its answer is awaited, as far as its server says so. */
export class JobFollower {
  private readonly rows: number[][] = [];
  private processed = 0;
  /** A server that once said something wrong about rows is not asked for more; the answer has them all. */
  private wantsRows: boolean;

  constructor(
    private readonly job: FollowedJob,
    private readonly deps: Deps,
  ) {
    this.wantsRows = job.features.has('partial') && job.context.onRows !== undefined;
  }

  begin(): void {
    this.job.context.onProgress({ processed: 0, total: this.job.total });
  }

  /**
   * Asks until the signal fires. What goes wrong with a question is no failure of the job, whose answer comes on a
   * connection of its own: the next one is asked a little later.
   *
   * @throws RunnerTimeoutError when the server does not get any further
   */
  async follow(signal: AbortSignal): Promise<void> {
    let pauseMs = QUESTION_EVERY_MS;
    let movedAt = performance.now();
    while (!signal.aborted) {
      try {
        const hasMoved = await this.ask(signal);
        if (hasMoved) movedAt = performance.now();
        pauseMs = QUESTION_EVERY_MS;
      } catch (error) {
        if (signal.aborted) return;
        this.deps.logger.debug('The model server does not say how far it is', { error });
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
      if (performance.now() - movedAt > this.deps.limits.stallMs) {
        const seconds = this.deps.limits.stallMs / 1000;
        throw new RunnerTimeoutError(`${this.deps.peer} has not got any further for ${seconds} s.`);
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined); // the signal ends the loop as well
    }
  }

  /**
   * The answer is there: tells what has not been told yet.
   * @returns whether the rows that were told while the job ran are those of its result
   */
  finish(velocity: readonly number[][]): boolean {
    const { context, total } = this.job;
    const isSame = this.rows.every((row, index) => row.every((value, axis) => value === velocity[index]?.[axis]));
    const rest = velocity.slice(this.rows.length);
    if (isSame && this.wantsRows && rest.length > 0) context.onRows?.(rest);
    context.onProgress({ processed: total, total });
    return isSame;
  }

  /** @returns whether anything has moved, or the job only waits for its turn */
  private async ask(signal: AbortSignal): Promise<boolean> {
    const { serverJobId, total } = this.job;
    // Short enough for a stall to be noticed in time.
    const wait = Math.min(POLL_SECONDS, Math.floor(this.deps.limits.stallMs / 2000));
    const path = `jobs/${encodeURIComponent(serverJobId)}?after=${this.processed}&wait=${wait}`;
    const { state, processed } = await this.get(path, 'its progress', signal, wait);
    if (state === 'RECEIVING' || state === 'QUEUED') return true;
    const finished = Math.min(processed ?? 0, total);
    if (finished <= this.processed) return false;
    const told = this.wantsRows ? await this.fetchRows(finished, signal) : finished;
    // Frames without their rows are words: a server that says no more than them stands still.
    if (signal.aborted || told <= this.processed) return false;
    this.processed = told;
    this.job.context.onProgress({ processed: told, total });
    return true;
  }

  /** @returns how many frames may be counted: no more than there are rows, or all when rows are not to be had */
  private async fetchRows(finished: number, signal: AbortSignal): Promise<number> {
    const { serverJobId, context, total } = this.job;
    const { client, limits, peer, logger } = this.deps;
    const from = this.rows.length;
    const path = `jobs/${encodeURIComponent(serverJobId)}/velocity?from=${from}`;
    try {
      const call = { method: 'GET', path, signal, answerMs: limits.callMs, readMs: limits.readMs } as const;
      const rows = await client.send(call, async (answer) => {
        if (answer.status !== 200) throw await refusalOf(answer, peer);
        const partial = await answer.json(partialVelocitySchema, 'finished rows', largestAnswer(total, limits));
        return partial.from === from ? finiteRows(partial.velocity, peer) : [];
      });
      const fitting = rows.slice(0, total - from);
      if (signal.aborted || fitting.length === 0) return from;
      this.rows.push(...fitting);
      context.onRows?.(fitting);
      return Math.min(this.rows.length, Math.max(finished, this.processed));
    } catch (error) {
      if (signal.aborted) return from;
      this.wantsRows = false;
      logger.warn('The model server says nothing useful about finished rows; they come with the result', { error });
      return finished;
    }
  }

  private get(path: string, what: string, signal: AbortSignal, waitSeconds: number) {
    const { client, limits, peer } = this.deps;
    const answerMs = waitSeconds * 1000 + limits.callMs;
    return client.send({ method: 'GET', path, signal, answerMs, readMs: limits.callMs }, async (answer) => {
      if (answer.status !== 200) throw await refusalOf(answer, peer);
      return answer.json(jobStateSchema, what, SMALL_ANSWER_BYTES);
    });
  }
}
