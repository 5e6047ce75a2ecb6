import type { Sequelize, Transaction as SequelizeTransaction } from 'sequelize';
import type { Once } from '../once.js';
import type { Doorbell, DoorbellRinger } from '../queue/doorbell.port.js';
import { mayRunAgain } from './database-errors.js';
import type { Models } from './model-registry.js';
import type { DatabaseScope } from './scope.js';

const MAX_RUNS = 5;

/** One transaction: repositories bound to it, and the bells to ring for what it makes runnable. */
export interface Transaction<Repositories> {
  repositories: Repositories;
  /** Rung inside the transaction where the queue shares the database, after the commit where it does not. */
  ring(bell: Doorbell): void;
}

interface Deps<Repositories> {
  sequelize: Sequelize;
  models: Models;
  createRepositories(scope: DatabaseScope): Repositories;
  ringer: DoorbellRinger;
}

export interface TransactionOptions<T = unknown> {
  /** Of the request that this transaction serves: has the effect once, however often the request arrives. */
  once?: Once<T> | undefined;
  /** Longest wait for one lock; then the transaction fails with SQLSTATE 55P03. */
  lockTimeoutMs?: number;
}

/** Runs use cases in transactions. No `transaction` argument travels: what is handed over is already bound. */
export class UnitOfWork<Repositories> {
  constructor(private readonly deps: Deps<Repositories>) {}

  /**
   * Commits what `work` did, or nothing. After a deadlock or serialization failure `work` runs again, so it must do
   * nothing that the transaction cannot undo.
   */
  async run<T>(
    work: (transaction: Transaction<Repositories>) => Promise<T>,
    options: TransactionOptions<T> = {},
  ): Promise<T> {
    for (let run = 1; ; run++) {
      try {
        return await this.runOnce(work, options);
      } catch (error) {
        if (run >= MAX_RUNS || !mayRunAgain(error)) throw error;
      }
    }
  }

  private async runOnce<T>(
    work: (transaction: Transaction<Repositories>) => Promise<T>,
    { lockTimeoutMs, once }: TransactionOptions<T>,
  ): Promise<T> {
    const { sequelize, models, createRepositories, ringer } = this.deps;
    const bells: Doorbell[] = [];
    const answer = await sequelize.transaction(async (transaction) => {
      if (lockTimeoutMs !== undefined) {
        await sequelize.query(`SET LOCAL lock_timeout = ${Math.ceil(lockTimeoutMs)}`, { transaction });
      }
      const scope = { sequelize, models, transaction };
      const act = (): Promise<T> => work({ repositories: createRepositories(scope), ring: (bell) => bells.push(bell) });
      const value = await (once === undefined ? act() : once.within(scope, act));
      if (bells.length > 0) await ringer.ringInside(connectionOf(transaction), bells);
      return value;
    });
    if (bells.length > 0) await ringer.ringAfterCommit(bells);
    return answer;
  }
}

/** Sequelize keeps the connection on the transaction without declaring it. */
function connectionOf(transaction: SequelizeTransaction): unknown {
  return (transaction as SequelizeTransaction & { connection: unknown }).connection;
}
