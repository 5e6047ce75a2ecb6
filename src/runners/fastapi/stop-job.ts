import { setTimeout as delay } from 'node:timers/promises';

import type { Logger } from '../../platform/logging/logger.js';
import type { HttpClient } from '../http-kit/http-client.js';
import { SMALL_ANSWER_BYTES, type RemoteLimits } from '../http-kit/remote-limits.js';
import type { StopEvidence } from '../runner.errors.js';
import { refusalOf } from './refusal.js';
import { jobStateSchema } from './wire.js';

/** A runner stops within a second: for the rest of it the connection is closed, and the job's end is written. */
const PATIENCE_MS = 700;
/** The contract gives servers ten seconds; who confirms later is still heard, and logged. */
const LISTENING_MS = 12_000;
/** What a stopped job can be: it may have been faster than the wish to stop it. */
const OVER = ['CANCELLED', 'COMPLETED', 'FAILED'];

interface Deps {
  client: HttpClient;
  limits: RemoteLimits;
  logger: Logger;
  peer: string;
}

/** Tells a server to stop jobs, and keeps listening for a while after nobody waits for it any more. */
export class JobStopper {
  private readonly closing = new AbortController();
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(private readonly deps: Deps) {}

  /**
   * @param startedAt no job stops before it began: a time of the server's that says so comes from a wrong clock
   * @returns null when the server has not confirmed in time that the work has stopped. Never rejects.
   */
  async stop(serverJobId: string, startedAt: Date): Promise<StopEvidence | null> {
    const answer = this.ask(serverJobId, startedAt);
    this.underWay.add(answer);
    void answer.then(() => this.underWay.delete(answer));
    const patience = new AbortController();
    try {
      return await Promise.race([answer, delay(PATIENCE_MS, null, { signal: patience.signal })]);
    } finally {
      patience.abort();
    }
  }

  /** Nobody listens any more. */
  async close(): Promise<void> {
    this.closing.abort();
    await Promise.all(this.underWay);
  }

  private async ask(serverJobId: string, startedAt: Date): Promise<StopEvidence | null> {
    const { client, limits, logger, peer } = this.deps;
    const askedAt = performance.now();
    const path = `jobs/${encodeURIComponent(serverJobId)}/cancel`;
    const signal = this.closing.signal;
    try {
      const call = { method: 'POST', path, signal, answerMs: LISTENING_MS, readMs: limits.callMs } as const;
      const { state, stopped_at } = await client.send(call, async (answer) => {
        if (answer.status !== 200) throw await refusalOf(answer, peer);
        return answer.json(jobStateSchema, 'the state of a stopped job', SMALL_ANSWER_BYTES);
      });
      if (!OVER.includes(state)) throw new Error(`The job is ${state}.`);
      const seconds = (performance.now() - askedAt) / 1000;
      logger.info('The model server has stopped the job', { serverJobId, state, seconds });
      return { by: 'server', stoppedAt: plausible(stopped_at, startedAt) };
    } catch (error) {
      logger.warn('The model server does not confirm that it has stopped the job', { serverJobId, error });
      return null;
    }
  }
}

function plausible(stoppedAt: string | null | undefined, startedAt: Date): Date {
  const now = new Date();
  const said = new Date(stoppedAt ?? now);
  return said < startedAt || said > now ? now : said;
}
