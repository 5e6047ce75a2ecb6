import type { DatabaseScope } from './database/scope.js';

/** An HTTP answer as it is repeated: to the letter. */
export interface RecordedAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  /** JSON. */
  body: string;
}

/**
 * Makes the effect of a request that may arrive several times happen once. A service hands it to the transaction that has
 * the effect: `uow.run(work, { once })`. Requests without a key get one that lets everything through.
 */
export interface Once<Result> {
  /**
   * Spares work before the transaction whose effect has happened already; `within` decides.
   * @throws AnsweredBefore when it has; AppError idempotency-key-reused
   */
  recall(): Promise<void>;
  /**
   * Runs `work` in the transaction of `scope`, unless the effect has happened already.
   * @throws AnsweredBefore when it has; AppError idempotency-key-in-use, idempotency-key-reused
   */
  within(scope: DatabaseScope, work: () => Promise<Result>): Promise<Result>;
}

/**
 * Thrown to where the request came in: the effect has happened before, and this was its answer. Not a failure, but
 * everything on its way has to undo what it began, as with a refusal.
 */
export class AnsweredBefore extends Error {
  override readonly name = 'AnsweredBefore';

  constructor(readonly answer: RecordedAnswer) {
    super('This request has been answered before.');
  }
}

/** For whoever has no key: everything passes. */
export const withoutKey = <Result>(): Once<Result> => ({
  recall: () => Promise.resolve(),
  within: (_scope, work) => work(),
});
