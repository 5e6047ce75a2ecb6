import { Op, literal, type Attributes, type WhereOptions } from 'sequelize';
import { BaseDao, plain } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { RUNNER_CHANNEL } from '../../platform/events/event-bus.port.js';
import type { RunnerModel } from './runner.model.js';

export type RunnerRow = Attributes<RunnerModel>;

/** A row with what is counted and timed with it, in one statement. */
export type LoadedRunnerRow = RunnerRow & { inFlight: number; now: Date };

type Where = WhereOptions<Attributes<RunnerModel>>;

const IN_FLIGHT =
  '(SELECT count(*)::int FROM inference_attempts WHERE runner_id = "Runner"."id" AND inference_attempts.outcome IS NULL)';

/** Runners that are there: those that were removed stay as rows for the attempts that refer to them. */
export class RunnerDao extends BaseDao<RunnerModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.runners);
  }

  /** All of them, oldest first. */
  all(): Promise<LoadedRunnerRow[]> {
    return this.loaded({ deletedAt: null });
  }

  async findById(id: string): Promise<LoadedRunnerRow | null> {
    return (await this.loaded({ id, deletedAt: null }))[0] ?? null;
  }

  findByName(name: string): Promise<RunnerRow | null> {
    return this.findOne({ name, deletedAt: null });
  }

  page(behind: string, limit: number): Promise<LoadedRunnerRow[]> {
    return this.loaded(
      { deletedAt: null, position: literal(`position > ${BigInt(behind)}`) as unknown as string },
      limit,
    );
  }

  /** As the row is now, changed by nobody else until the end of this transaction; those who only refer to it do not wait. */
  async lock(id: string): Promise<LoadedRunnerRow | null> {
    const held = await this.rows('SELECT 1 FROM runners WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE', [id]);
    // What was committed while the lock was waited for is seen by the next statement only.
    return held.length === 0 ? null : this.findById(id);
  }

  /** Of those that are looked after from here: the first whose time has come, with their next time set. */
  async takeDue(seconds: number, limit: number): Promise<string[]> {
    const rows = await this.rows<{ id: string }>(
      `UPDATE runners SET check_due_at = now() + make_interval(secs => $1)
       WHERE id IN (SELECT id FROM runners
         WHERE deleted_at IS NULL AND disabled_by IS NULL AND url IS NOT NULL AND check_due_at <= now()
         ORDER BY check_due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED)
       RETURNING id`,
      [seconds, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** @param changesClient whether a client that was made of the row before will not do any more */
  async change(id: string, values: Partial<RunnerRow>, changesClient = false): Promise<void> {
    const anew = changesClient
      ? { revision: literal('revision + 1') as unknown as number, changedAt: literal('now()') as unknown as Date }
      : {};
    await this.model.update(
      { ...values, ...anew, updatedAt: literal('now()') },
      { where: { id, deletedAt: null }, ...this.inScope },
    );
  }

  /** What the next look at it will tell is wanted now. */
  async makeDue(id: string): Promise<void> {
    await this.rows('UPDATE runners SET check_due_at = now() WHERE id = $1 AND check_due_at > now()', [id]);
  }

  /** Wakes those who wait for a runner, at the commit of this transaction. */
  async notify(id: string): Promise<void> {
    await this.rows('SELECT pg_notify($1, $2)', [RUNNER_CHANNEL, id]);
  }

  /** Runners that settings put in, but for those named. */
  async configuredBut(names: readonly string[]): Promise<RunnerRow[]> {
    const rows = await this.model.findAll({
      where: { deletedAt: null, origin: 'configuration', url: { [Op.ne]: null }, name: { [Op.notIn]: [...names] } },
      order: [['position', 'ASC']],
      ...this.inScope,
    });
    return rows.map(plain);
  }

  private async loaded(where: Where, limit?: number): Promise<LoadedRunnerRow[]> {
    const rows = await this.model.findAll({
      attributes: {
        include: [
          [literal(IN_FLIGHT), 'inFlight'],
          [literal('now()'), 'now'],
        ],
      },
      where,
      order: [['position', 'ASC']],
      ...(limit === undefined ? {} : { limit }),
      ...this.inScope,
    });
    return rows.map((row) => plain(row) as LoadedRunnerRow);
  }
}
