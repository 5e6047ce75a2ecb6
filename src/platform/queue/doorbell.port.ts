/** Tells a worker that a row may be runnable. It carries an id only: the row says what is true. */
export interface Doorbell {
  /** A kind of the job catalogue. */
  kind: 'run-inference';
  id: string;
  /** Bells of one id and round are the same bell. */
  round: number;
  /** 1…10, 10 first. */
  priority: number;
  delayMs: number;
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
