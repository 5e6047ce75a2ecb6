/** Tells a worker that a row may be runnable. It carries an id only: the row says what is true. */
export interface Doorbell {
  /** A kind of the job catalogue. */
  kind: 'run-inference' | 'deliver-webhook';
  id: string;
  /** Bells of one id and round are the same bell, except those rung again. */
  round: number;
  /** 1…10, 10 first. */
  priority: number;
  delayMs: number;
  /**
   * The row waits although its bell was rung. Unless that bell still waits for its turn, another one is rung beside it:
   * the first may lie with a dead worker, or be late by a clock that is wrong.
   */
  again?: boolean;
}

export interface DoorbellRinger {
  /**
   * Does its work where the queue lives in the same database.
   * @param connection the driver's connection that the transaction is open on
   */
  ringInside(connection: unknown, bells: readonly Doorbell[]): Promise<void>;
  /** Does its work where the queue lives elsewhere. A bell that cannot be rung is logged: the reconciler rings again. */
  ringAfterCommit(bells: readonly Doorbell[]): Promise<void>;
}
