import { randomUUID } from 'node:crypto';
import { AppError, notFound } from '../../platform/app-error.js';
import { violatesUnique } from '../../platform/database/database-errors.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { toStorableText } from '../../platform/database/storable-json.js';
import { NUMBER_KEY, cutPage, decodeCursor, type Page, type PageRequest } from '../../platform/page.js';
import type { RunnerDescription } from '../../runners/runner.port.js';
import {
  admits,
  afterAdmission,
  afterFailure,
  afterSuccess,
  CLOSED_BREAKER,
  type Breaker,
  type BreakerRules,
} from './breaker.domain.js';
import { RunnerEventDao } from './runner-event.dao.js';
import { RunnerDao, type LoadedRunnerRow, type RunnerRow } from './runner.dao.js';
import {
  isInService,
  slotsOf,
  type LoadedRunner,
  type NewRunner,
  type NewRunnerEvent,
  type RunnerChange,
  type RunnerEvent,
  type RunnerHealthRecord,
  type RunnerOrigin,
  type RunnerRecord,
} from './runner.domain.js';

/** All runners as of one moment of the database's clock. */
export interface RunnerCensus {
  runners: LoadedRunner[];
  now: Date;
}

/** A state that was left and the one that was entered; null when nothing has changed. */
export type Transition = { from: string; to: string } | null;

/** What a look at a runner has told. */
export interface HealthReport {
  state: RunnerHealthRecord['state'];
  detail: string | null;
  latencyMs: number | null;
  /** Null when it could not be asked. */
  description: RunnerDescription | null;
}

/**
 * Runners, and what became of them. The permits of a runner are the attempts that run on it: taking one locks its row, so
 * that no two workers count the same free place. Each verb that changes something belongs into a transaction.
 */
export class RunnerRepository {
  private readonly runners: RunnerDao;
  private readonly events: RunnerEventDao;

  constructor(scope: DatabaseScope) {
    this.runners = new RunnerDao(scope);
    this.events = new RunnerEventDao(scope);
  }

  async census(): Promise<RunnerCensus> {
    const rows = await this.runners.all();
    return { runners: rows.map(toLoadedRunner), now: rows[0]?.now ?? new Date() };
  }

  async list({ limit, cursor }: PageRequest): Promise<Page<LoadedRunner>> {
    const behind = cursor === undefined ? '0' : decodeCursor(cursor, [NUMBER_KEY])[0];
    return cutPage(await this.runners.page(behind, limit + 1), limit, ({ position }) => [position], toLoadedRunner);
  }

  async find(id: string): Promise<LoadedRunner | null> {
    const row = await this.runners.findById(id);
    return row === null ? null : toLoadedRunner(row);
  }

  /** @throws AppError not-found */
  async get(id: string): Promise<LoadedRunner> {
    const found = await this.find(id);
    if (found === null) throw notFound('runner');
    return found;
  }

  async findByName(name: string): Promise<RunnerRecord | null> {
    const row = await this.runners.findByName(name);
    return row === null ? null : toRunner(row);
  }

  /**
   * Nobody else changes it, or takes a place on it, until the end of this transaction.
   * @throws AppError not-found
   */
  async hold(id: string): Promise<LoadedRunner> {
    const row = await this.runners.lock(id);
    if (row === null) throw notFound('runner');
    return toLoadedRunner(row);
  }

  /**
   * Takes a place on the runner, which the caller fills with a running attempt in the same transaction.
   * @returns null when there is none: full, out of service, or its breaker admits no other
   */
  async takePlace(id: string): Promise<{ runner: LoadedRunner; breaker: Transition } | null> {
    const row = await this.runners.lock(id);
    if (row === null) return null;
    const runner = toLoadedRunner(row);
    const isHeldBack = runner.notBefore !== null && runner.notBefore > row.now;
    if (!isInService(runner) || isHeldBack || runner.inFlight >= slotsOf(runner)) return null;
    if (!admits(runner.breaker, runner.inFlight, row.now)) return null;
    return { runner, breaker: await this.moveBreaker(runner, afterAdmission(runner.breaker), 'The pause is over.') };
  }

  /** A job ended well there. */
  async succeed(id: string): Promise<Transition> {
    const before = await this.runners.findById(id);
    if (before === null || isAtRest(toBreaker(before))) return null;
    const row = await this.runners.lock(id);
    if (row === null) return null;
    const runner = toLoadedRunner(row);
    return this.moveBreaker(runner, afterSuccess(runner.breaker), 'A job ended well.');
  }

  /** A job failed by its fault. @param reason in plain words */
  async fail(id: string, rules: BreakerRules, reason: string): Promise<Transition> {
    const row = await this.runners.lock(id);
    if (row === null) return null;
    const runner = toLoadedRunner(row);
    // Whoever looks after it is to look now: it may be gone.
    await this.runners.makeDue(id);
    return this.moveBreaker(runner, afterFailure(runner.breaker, rules, row.now), reason);
  }

  /** It asks to be left alone for so long. A longer time that it asked for before stays. */
  async pause(id: string, seconds: number, reason: string): Promise<void> {
    const row = await this.runners.lock(id);
    if (row === null) return;
    const until = new Date(row.now.getTime() + seconds * 1000);
    if (row.notBefore !== null && row.notBefore >= until) return;
    await this.runners.change(id, { notBefore: until });
    const wasPaused = row.notBefore !== null && row.notBefore > row.now;
    if (!wasPaused) await this.append(id, { kind: 'pause', to: until.toISOString(), detail: reason });
  }

  /** Ids of runners that are due to be looked at; nobody else gets them before so many seconds have passed. */
  takeDue(seconds: number, limit: number): Promise<string[]> {
    return this.runners.takeDue(seconds, limit);
  }

  /** What a look has told of the runner as it was in that revision; of another one it tells nothing. */
  async recordHealth(id: string, revision: number, report: HealthReport): Promise<Transition> {
    const row = await this.runners.lock(id);
    if (row === null || row.revision !== revision) return null;
    const { state, detail, latencyMs, description } = report;
    await this.runners.change(id, {
      healthState: state,
      healthDetail: detail,
      latencyMs,
      checkedAt: row.now,
      ...(description === null ? {} : { description }),
    });
    const hasMoreToGive = description !== null && slotsOf({ ...row, description }) > slotsOf(row);
    if (hasMoreToGive) await this.runners.notify(id);
    if (row.healthState === state) return null;
    // One job more or less is no news for people.
    const isLoad = isServing(row.healthState) && isServing(state);
    if (isLoad) return null;
    await this.append(id, { kind: 'health', from: row.healthState, to: state, detail });
    return { from: row.healthState, to: state };
  }

  /** @throws AppError name-taken */
  async create(runner: NewRunner): Promise<void> {
    await this.unlessNameIsTaken(() =>
      this.runners.insert({ ...runner, models: runner.models === null ? null : [...runner.models] }),
    );
    await this.append(runner.id, { kind: 'added', to: runner.url });
  }

  /**
   * Its client is made anew, and what was known of the old one is forgotten.
   * @throws AppError name-taken
   */
  async change(id: string, { models, ...change }: RunnerChange, description: RunnerDescription): Promise<void> {
    const values = {
      ...change,
      ...(models === undefined ? {} : { models: models === null ? null : [...models] }),
      description,
      ...UNTRIED,
    };
    await this.unlessNameIsTaken(() => this.runners.change(id, values, true));
    const fields = [...Object.keys(change), ...(models === undefined ? [] : ['models'])];
    await this.append(id, { kind: 'changed', detail: fields.join(', ') });
  }

  /** @param by null: it is enabled */
  async disable(id: string, by: RunnerOrigin | null): Promise<void> {
    await this.runners.change(id, { disabledBy: by, ...(by === null ? { checkDueAt: new Date(0) } : {}) });
    await this.append(id, { kind: 'switch', to: by === null ? 'enabled' : 'disabled', detail: by });
  }

  async drain(id: string): Promise<void> {
    await this.runners.change(id, { draining: true });
    await this.append(id, { kind: 'switch', to: 'draining' });
  }

  /** It gets jobs again, at once: what it was held back for is taken to be over. */
  async resume(id: string): Promise<void> {
    await this.runners.change(id, {
      draining: false,
      notBefore: null,
      checkDueAt: new Date(0),
      ...toColumns(CLOSED_BREAKER),
    });
    await this.append(id, { kind: 'switch', to: 'resumed' });
  }

  async remove(id: string): Promise<void> {
    await this.append(id, { kind: 'removed' });
    await this.runners.change(id, { deletedAt: new Date(), sealedToken: null }, true);
  }

  /** An administrator's runner of a name that settings have now is theirs from now on. */
  async adopt(id: string): Promise<void> {
    await this.runners.change(id, { origin: 'configuration' });
  }

  /** Runners that settings put in, but for those named. */
  async configuredBut(names: readonly string[]): Promise<RunnerRecord[]> {
    return (await this.runners.configuredBut(names)).map(toRunner);
  }

  /** Newest first. */
  async listEvents(runnerId: string, { limit, cursor }: PageRequest): Promise<Page<RunnerEvent>> {
    const before = cursor === undefined ? null : decodeCursor(cursor, [NUMBER_KEY])[0];
    const rows = await this.events.page(runnerId, before, limit + 1);
    return cutPage(
      rows,
      limit,
      ({ place }) => [place],
      ({ row }) => ({
        id: row.id,
        kind: row.kind,
        from: row.fromState,
        to: row.toState,
        detail: row.detail,
        createdAt: row.createdAt,
      }),
    );
  }

  removeEventsOlderThan(seconds: number): Promise<void> {
    return this.events.removeOlderThan(seconds);
  }

  private async moveBreaker(runner: RunnerRecord, after: Breaker, reason: string): Promise<Transition> {
    const { id, breaker: before } = runner;
    if (after === before) return null;
    await this.runners.change(id, toColumns(after));
    if (after.state === before.state) return null;
    await this.append(id, { kind: 'breaker', from: before.state, to: after.state, detail: reason });
    return { from: before.state, to: after.state };
  }

  private async append(
    runnerId: string,
    { kind, from = null, to = null, detail = null }: NewRunnerEvent,
  ): Promise<void> {
    const words = detail === null ? null : toStorableText(detail);
    await this.events.insert({ id: randomUUID(), runnerId, kind, fromState: from, toState: to, detail: words });
    await this.runners.notify(runnerId);
  }

  private async unlessNameIsTaken(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!violatesUnique(error, 'runners_name')) throw error;
      throw new AppError('name-taken', 'There is a runner of this name.', { cause: error });
    }
  }
}

/** What is not known of a client that nobody has tried. */
const UNTRIED = {
  healthState: 'STARTING',
  healthDetail: null,
  checkedAt: null,
  latencyMs: null,
  checkDueAt: new Date(0),
  notBefore: null,
  ...toColumns(CLOSED_BREAKER),
} as const;

const isServing = (state: string): boolean => state === 'READY' || state === 'BUSY';

const isAtRest = ({ state, failures }: Breaker): boolean => state === 'CLOSED' && failures === 0;

function toColumns({ state, failures, openings, openedUntil }: Breaker) {
  return { breakerState: state, breakerFailures: failures, breakerOpenings: openings, openedUntil };
}

function toBreaker(row: RunnerRow): Breaker {
  return {
    state: row.breakerState,
    failures: row.breakerFailures,
    openings: row.breakerOpenings,
    openedUntil: row.openedUntil,
  };
}

function toRunner(row: RunnerRow): RunnerRecord {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    url: row.url,
    sealedToken: row.sealedToken,
    slots: row.slots,
    models: row.models,
    origin: row.origin,
    disabledBy: row.disabledBy,
    draining: row.draining,
    revision: row.revision,
    description: row.description,
    health: {
      state: row.healthState,
      detail: row.healthDetail,
      checkedAt: row.checkedAt,
      latencyMs: row.latencyMs,
    },
    breaker: toBreaker(row),
    notBefore: row.notBefore,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

const toLoadedRunner = (row: LoadedRunnerRow): LoadedRunner => ({ ...toRunner(row), inFlight: row.inFlight });
