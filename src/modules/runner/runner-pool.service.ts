import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { RUNNER_CHANNEL, type EventBus } from '../../platform/events/event-bus.port.js';
import type { Logger } from '../../platform/logging/logger.js';
import { Permits } from '../../platform/permits.js';
import type { BreakerRules } from './breaker.domain.js';
import { canServe, chooseRunners, isWorking, type Choice, type RunnerNeed } from './runner-choice.domain.js';
import type { RunnerDirectory, RunnerLease } from './runner-directory.js';
import { isEmbedded, isInService, slotsOf, type LoadedRunner } from './runner.domain.js';
import type { Place } from './runner-place.domain.js';
import { pauseAskedBy, verdictOf } from './runner-outcome.domain.js';
import type { RunnerCensus, RunnerRepository, Transition } from './runner.repository.js';

interface Repositories {
  runners: RunnerRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  directory: RunnerDirectory;
  bus: Pick<EventBus, 'subscribe'>;
  rules: BreakerRules;
  logger: Logger;
  /** Fires when this process begins to end: nobody waits for a runner any longer. */
  shutdown: AbortSignal;
}

/** What became of an offer: `no-place` when another was faster, `gone` when the job is no longer to be had. */
export type Acceptance<T> = { taken: T } | 'no-place' | 'gone';

/** So long a bell waits for a place, at random between the two; the scheduler rings again for jobs left behind. */
const PATIENCE_MS = { least: 5_000, most: 10_000 };
/** Pauses and breakers end by the clock, and bells may be missed. */
const LOOK_AGAIN_MS = 1_000;
/** Jobs beyond the slots that a process listens to: while some wait for one runner, those for another are heard. */
const LISTENERS_TO_SPARE = 2;
/** Most jobs that one process works on at a time, however many slots there are. */
const MOST_AT_A_TIME = 256;

/**
 * Finds places for jobs among the runners of the installation. What is free, well and wanted say the rows; each worker
 * looks for itself, and the transaction that takes a place has the last word.
 */
export class RunnerPoolService {
  /** One job of this process looks and takes at a time: each sees what the one before it took. */
  private readonly turns = new Permits(1);
  private readonly waiting = new Set<string>();
  private readonly wakers = new Set<() => void>();
  private readonly unsubscribe: () => void;

  constructor(private readonly deps: Deps) {
    this.unsubscribe = deps.bus.subscribe(() => this.wake(), RUNNER_CHANNEL);
    deps.shutdown.addEventListener('abort', () => this.wake());
  }

  close(): Promise<void> {
    this.unsubscribe();
    return Promise.resolve();
  }

  /** Waits for a place and offers it. @returns null when the job is gone, or no place was to be had for a while */
  async place<T>(jobId: string, need: RunnerNeed, accept: (place: Place) => Promise<Acceptance<T>>): Promise<T | null> {
    // Rung twice: its other bell waits here already.
    if (this.waiting.has(jobId)) return null;
    this.waiting.add(jobId);
    try {
      const end = performance.now() + PATIENCE_MS.least + Math.random() * (PATIENCE_MS.most - PATIENCE_MS.least);
      while (!this.deps.shutdown.aborted) {
        const news = this.listen();
        try {
          const answer = await this.tryOnce(need, accept);
          if (answer === 'gone' || answer === 'no-runner') return null;
          if (answer !== 'no-place') return answer.taken;
          if (performance.now() >= end) return null;
          await news.wait();
        } finally {
          news.close();
        }
      }
      return null;
    } finally {
      this.waiting.delete(jobId);
    }
  }

  /** Whether any runner in service could do it, busy or not. */
  async canServe(need: RunnerNeed): Promise<boolean> {
    const { runners } = await this.census();
    return runners.some((runner) => canServe(runner, need));
  }

  /** Jobs that this process is to listen to at a time, as things are. */
  async capacity(): Promise<number> {
    const { runners, now } = await this.census();
    const useful = runners.filter(
      (runner) => isInService(runner) && (isWorking(runner, now) || runner.health.state === 'STARTING'),
    );
    const slots = useful.reduce((sum, runner) => sum + slotsOf(runner), 0);
    const spare = useful.every(isEmbedded) ? 0 : LISTENERS_TO_SPARE;
    return Math.max(1, Math.min(slots + spare, MOST_AT_A_TIME));
  }

  /** Tells what the end of a run says about its runner. @param error null when it ended well */
  async report({ claim, place }: { claim: { job: { attempt: number } }; place: Place }, error: unknown): Promise<void> {
    if (isEmbedded(place.reference)) return;
    const { id, name } = place.reference;
    try {
      await this.deps.uow
        .run(async ({ repositories: { runners } }) => {
          const pause = pauseAskedBy(error, claim.job.attempt);
          if (pause !== null) await runners.pause(id, pause, messageOf(error));
          const verdict = error === null ? 'well' : verdictOf(error);
          if (verdict === 'nothing') return null;
          return verdict === 'well' ? runners.succeed(id) : runners.fail(id, this.deps.rules, messageOf(error));
        })
        .then((transition) => this.logBreaker(name, transition));
    } catch (failure) {
      this.deps.logger.warn('How a runner did could not be written down', { runner: name, error: failure });
    }
  }

  /** A breaker that let a job through after its pause. */
  logBreaker(runner: string, transition: Transition): void {
    if (transition === null) return;
    const level = transition.to === 'OPEN' ? 'warn' : 'info';
    this.deps.logger[level]('The breaker of a runner has moved', { runner, ...transition });
  }

  private async tryOnce<T>(
    need: RunnerNeed,
    accept: (place: Place) => Promise<Acceptance<T>>,
  ): Promise<Acceptance<T> | 'no-runner'> {
    const done = await this.turns.acquire(NEVER);
    try {
      const { runners, obstacle } = await this.choose(need);
      if (obstacle === 'no-runner') return 'no-runner';
      for (const record of runners) {
        const lease = this.lease(record);
        if (lease === null) continue;
        let answer: Acceptance<T> | null = null;
        try {
          answer = await accept(this.toPlace(record, lease));
        } finally {
          // Nobody else has looked meanwhile, so nobody has to be told that it is free again.
          if (answer === null || answer === 'no-place' || answer === 'gone') lease.release();
        }
        if (answer !== 'no-place') return answer;
      }
      return 'no-place';
    } finally {
      done();
    }
  }

  private toPlace({ id, name, kind }: LoadedRunner, lease: RunnerLease): Place {
    const release = (): void => {
      lease.release();
      this.wake();
    };
    return { reference: { id, name, kind }, runner: lease.runner, release };
  }

  private async choose(need: RunnerNeed): Promise<Choice> {
    const { runners, now } = await this.census();
    return chooseRunners(runners, need, { now, random: Math.random });
  }

  /** As this process sees them: the places on the embedded engine are its own. */
  private async census(): Promise<RunnerCensus> {
    const { directory, repositories } = this.deps;
    const { runners, now } = await repositories.runners.census();
    directory.keepOnly(new Set(runners.filter(({ disabledBy }) => disabledBy === null).map(({ id }) => id)));
    const { embedded, embeddedInFlight: inFlight } = directory;
    const seen = runners.flatMap((runner) => {
      if (!isEmbedded(runner)) return [runner];
      return embedded === null ? [] : [{ ...runner, slots: null, description: embedded.describe(), inFlight }];
    });
    return { runners: seen, now };
  }

  /** @returns null when there is no place on it from here */
  private lease(record: LoadedRunner): RunnerLease | null {
    try {
      return this.deps.directory.lease(record);
    } catch (error) {
      this.deps.logger.error('No client of a runner can be made', { runner: record.name, error });
      return null;
    }
  }

  private listen(): { wait(): Promise<void>; close(): void } {
    const timer = new AbortController();
    let hasRung = this.deps.shutdown.aborted;
    const ring = (): void => {
      hasRung = true;
      timer.abort();
    };
    this.wakers.add(ring);
    return {
      wait: async () => {
        if (!hasRung) await Promise.allSettled([delay(LOOK_AGAIN_MS, undefined, { signal: timer.signal })]);
      },
      close: () => this.wakers.delete(ring),
    };
  }

  private wake(): void {
    for (const ring of [...this.wakers]) ring();
  }
}

/** A turn takes no longer than the database does. */
const NEVER = new AbortController().signal;
// Every job that waits for its turn listens to it; that is no leak.
setMaxListeners(0, NEVER);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
