import { findUnstorable, toStorableText } from '../../platform/database/storable-json.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { RunnerDescription, RunnerHealth } from '../../runners/runner.port.js';
import type { RunnerDirectory } from './runner-directory.js';
import { isEmbedded, type LoadedRunner } from './runner.domain.js';
import type { HealthReport, RunnerRepository } from './runner.repository.js';

interface Repositories {
  runners: RunnerRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  directory: RunnerDirectory;
  /** Time from one look at a runner to the next. */
  everySeconds: number;
  logger: Logger;
}

/** A runner has this long to say how it is. */
const DEADLINE_MS = 5_000;
/** Looked at side by side. */
const AT_A_TIME = 16;
/** Characters of what it says. */
const LONGEST_DETAIL = 500;

/** Looks after runners: each is asked now and then how it is, by one process at a time. */
export class RunnerHealthService {
  constructor(private readonly deps: Deps) {}

  /** Looks at the runners whose time has come. */
  async checkDue(): Promise<void> {
    const { repositories, everySeconds } = this.deps;
    for (;;) {
      const due = await repositories.runners.takeDue(everySeconds, AT_A_TIME);
      await Promise.all(due.map((id) => this.checkOne(id)));
      if (due.length < AT_A_TIME) return;
    }
  }

  /** How the engine inside this process is; for processes that run jobs. */
  async checkEmbedded(): Promise<void> {
    const { runners } = await this.deps.repositories.runners.census();
    const row = runners.find(isEmbedded);
    if (row !== undefined && this.deps.directory.embedded !== null) await this.check(row);
  }

  /**
   * Looks at a runner now, and writes down what it saw.
   * @throws AppError not-found
   */
  async check(runner: LoadedRunner): Promise<HealthReport> {
    const report = await this.look(runner);
    const { id, name, revision } = runner;
    const transition = await this.deps.uow.run(({ repositories }) =>
      repositories.runners.recordHealth(id, revision, report),
    );
    if (transition !== null) {
      const level = transition.to === 'UNHEALTHY' ? 'warn' : 'info';
      this.deps.logger[level]('The health of a runner has changed', {
        runner: name,
        ...transition,
        detail: report.detail,
      });
    }
    return report;
  }

  /** Forgets what became of runners longer ago than that. */
  forgetOld(seconds: number): Promise<void> {
    return this.deps.repositories.runners.removeEventsOlderThan(seconds);
  }

  private async checkOne(id: string): Promise<void> {
    try {
      const runner = await this.deps.repositories.runners.find(id);
      if (runner !== null) await this.check(runner);
    } catch (error) {
      this.deps.logger.warn('A runner could not be looked at', { runnerId: id, error });
    }
  }

  private async look(record: LoadedRunner): Promise<HealthReport> {
    const { directory } = this.deps;
    if (isEmbedded(record)) {
      const { embedded } = directory;
      if (embedded === null) return unhealthy('This process has no engine.');
      const { state, detail } = await embedded.health();
      return { state, detail: detail ?? null, latencyMs: 0, description: embedded.describe() };
    }
    let lease: ReturnType<RunnerDirectory['lease']>;
    try {
      lease = directory.lease(record);
    } catch (error) {
      return unhealthy(`No client can be made: ${messageOf(error)}`);
    }
    if (lease === null) return unhealthy('This process has no client for it.');
    try {
      return await ask(lease.runner);
    } finally {
      lease.release();
    }
  }
}

interface Asked {
  health(signal?: AbortSignal): Promise<RunnerHealth>;
  describe(): RunnerDescription;
}

async function ask(runner: Asked): Promise<HealthReport> {
  const startedAt = performance.now();
  try {
    const { state, detail } = await inTime(runner);
    const latencyMs = Math.round(performance.now() - startedAt);
    const description = runner.describe();
    if (findUnstorable(description) !== null) return unhealthy('It describes itself in text that cannot be kept.');
    return { state, detail: wordsOf(detail), latencyMs, description };
  } catch (error) {
    return unhealthy(messageOf(error));
  }
}

/** Also a client that does not listen to its signal is given up. */
async function inTime(runner: Asked): Promise<RunnerHealth> {
  const deadline = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const reason = new Error(`It did not say how it is within ${DEADLINE_MS / 1000} s.`);
      reject(reason);
      deadline.abort(reason);
    }, DEADLINE_MS);
  });
  try {
    return await Promise.race([runner.health(deadline.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a runner says may be of any length, and of any characters. */
const wordsOf = (detail: string | undefined): string | null =>
  detail === undefined ? null : toStorableText(detail.slice(0, LONGEST_DETAIL));

const unhealthy = (detail: string): HealthReport => ({
  state: 'UNHEALTHY',
  detail: wordsOf(detail),
  latencyMs: null,
  description: null,
});

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
