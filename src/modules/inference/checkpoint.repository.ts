import type { DatabaseScope } from '../../platform/database/scope.js';
import type { RunnerCheckpointError } from '../../runners/runner.errors.js';
import { AttemptDao } from './attempt.dao.js';
import { CheckpointPieceDao } from './checkpoint-piece.dao.js';
import { CheckpointDao } from './checkpoint.dao.js';
import type { Progression, Start, StoredCheckpoint } from './checkpoint.domain.js';
import { JobDao } from './inference.dao.js';
import type { Claim } from './inference.domain.js';
import { ROWS_PER_PIECE } from './job-view.domain.js';
import { PartialRowsDao } from './partial-rows.dao.js';

const UNUSABLE_CHECKPOINT: RunnerCheckpointError['code'] = 'runner-checkpoint';

/** How far jobs have come for good. One job has one checkpoint at most, which grows. */
export class CheckpointRepository {
  private readonly checkpoints: CheckpointDao;
  private readonly pieces: CheckpointPieceDao;
  private readonly attempts: AttemptDao;
  private readonly jobs: JobDao;
  private readonly partials: PartialRowsDao;

  constructor(scope: DatabaseScope) {
    this.checkpoints = new CheckpointDao(scope);
    this.pieces = new CheckpointPieceDao(scope);
    this.attempts = new AttemptDao(scope);
    this.jobs = new JobDao(scope);
    this.partials = new PartialRowsDao(scope);
  }

  /**
   * Adds to what the job has come to; in a transaction. Writing the same again changes nothing.
   * @returns false when the claim is lost
   */
  async addIfClaimed({ job, token }: Claim, checkpoint: StoredCheckpoint): Promise<boolean> {
    if (!(await this.jobs.holdClaim(job.id, token))) return false;
    const { firstRow, velocity, frames, state, runnerKey, picturesKey } = checkpoint;
    const rowCount = firstRow + velocity.length;
    const before = (await this.checkpoints.findByJob(job.id))?.rowCount ?? 0;
    if (before === rowCount) return true;
    if (before !== firstRow) throw new Error(`A checkpoint from row ${firstRow} does not follow the ${before} before`);
    await this.checkpoints.put({ jobId: job.id, rowCount, runnerKey, state: Buffer.from(state) });
    const starts = velocity.map((_, row) => row).filter((row) => row % ROWS_PER_PIECE === 0);
    await this.pieces.add(
      starts.map((start) => {
        const rows = velocity.slice(start, start + ROWS_PER_PIECE);
        return {
          jobId: job.id,
          firstRow: firstRow + start,
          rowCount: rows.length,
          velocity: rows,
          frames: frames.slice(start, start + ROWS_PER_PIECE),
          picturesKey: start === 0 ? picturesKey : null,
        };
      }),
    );
    await this.partials.deleteBefore(job.id, rowCount);
    return true;
  }

  /**
   * Decides how the attempt begins, in the transaction of its claim: what it does not go on from is removed, so that no
   * reader takes it for rows of this attempt.
   *
   * @param runnerKey of the runner that is to go on; null when it cannot
   */
  async takeUp({ job, token }: Claim, runnerKey: string | null): Promise<Start> {
    const checkpoint = await this.checkpoints.findByJob(job.id);
    if (checkpoint !== null && checkpoint.runnerKey !== runnerKey) {
      return { resumedRows: 0, wasBegunAnew: true, orphanedKeys: await this.remove(job.id) };
    }
    // What only the runner could tell: damage, other weights.
    const wasBegunAnew = await this.attempts.anyEndedWith(job.id, UNUSABLE_CHECKPOINT);
    if (checkpoint === null) return { resumedRows: 0, wasBegunAnew, orphanedKeys: [] };
    await this.attempts.setResumedRows(token, checkpoint.rowCount);
    return { resumedRows: checkpoint.rowCount, wasBegunAnew, orphanedKeys: [] };
  }

  async ofJob(jobId: string): Promise<Progression | null> {
    const checkpoint = await this.checkpoints.findByJob(jobId);
    if (checkpoint === null) return null;
    const pieces = await this.pieces.listOf(jobId);
    return {
      velocity: pieces.flatMap((piece) => piece.velocity),
      frames: pieces.flatMap((piece) => piece.frames),
      state: checkpoint.state,
      picturesKeys: pieces.flatMap(({ picturesKey }) => picturesKey ?? []),
    };
  }

  /** The job that repeats another goes on where that one stopped; of several the first. Velocities stay readable at both. */
  async handOver(fromJobId: string, toJobId: string): Promise<void> {
    await this.partials.keepCheckpoint(fromJobId);
    await this.checkpoints.move(fromJobId, toJobId);
  }

  /** @returns keys of the files that nothing refers to then: the caller's to take away, or the sweeper's */
  async remove(jobId: string): Promise<string[]> {
    const keys = await this.pieces.picturesKeysOf(jobId);
    await this.checkpoints.deleteOf(jobId);
    return keys;
  }

  /** Removes some of those whose jobs ended so long ago; in a transaction. @returns as `remove`, and how many there were */
  async removeEnded(seconds: number, limit: number): Promise<{ removed: number; orphanedKeys: string[] }> {
    await this.partials.deleteEndedBefore(seconds);
    const jobIds = await this.checkpoints.endedBefore(seconds, limit);
    const orphanedKeys: string[] = [];
    for (const jobId of jobIds) orphanedKeys.push(...(await this.remove(jobId)));
    return { removed: jobIds.length, orphanedKeys };
  }

  knownPicturesKeys(keys: readonly string[]): Promise<Set<string>> {
    return this.pieces.knownPicturesKeys(keys);
  }
}
