import type { Logger } from '../../platform/logging/logger.js';
import type { Claim } from './inference.domain.js';
import type { InferenceRepository } from './inference.repository.js';
import { ROWS_PER_PIECE } from './job-view.domain.js';

interface Deps {
  jobs: Pick<InferenceRepository, 'addPartialRows'>;
  logger: Logger;
}

/** A runner that is so far ahead of the database shows no more of itself than this before its result. */
const MOST_PENDING = 50_000;

/** Hands the velocities of a run that goes on to the database, a piece at each renewal of its claim. */
export class PartialRowsLog {
  private pending: number[][] = [];
  private written: number;
  private isWriting = false;
  private isFull = false;

  constructor(
    private readonly claim: Claim,
    private readonly deps: Deps,
    /** Rows that attempts before this one have finished. */
    resumedRows: number,
  ) {
    this.written = resumedRows;
  }

  /** @param rows the next ones, in order */
  add(rows: readonly number[][]): void {
    // A gap would be a lie: after one row that is left out, all are.
    this.isFull ||= this.pending.length + rows.length > MOST_PENDING;
    if (this.isFull) return;
    for (const row of rows) this.pending.push(row);
  }

  /** Writes the next piece, if there is one and none is being written. */
  tell(): void {
    if (this.isWriting || this.pending.length === 0) return;
    this.isWriting = true;
    void this.write(this.pending.slice(0, ROWS_PER_PIECE)).finally(() => {
      this.isWriting = false;
    });
  }

  private async write(piece: number[][]): Promise<void> {
    try {
      await this.deps.jobs.addPartialRows(this.claim, this.written, piece);
      this.written += piece.length;
      this.pending = this.pending.slice(piece.length);
    } catch (error) {
      this.deps.logger.debug('Velocities of a running job are shown later', { error });
    }
  }
}
