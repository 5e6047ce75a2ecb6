import type { RunCheckpoint, RunResume } from '../../runners/runner.port.js';

export const CHECKPOINT_PREFIX = 'checkpoints/';

/** One key per attempt and piece: what a late attempt leaves never lies where another's pictures are. */
export const picturesKey = (jobId: string, claimToken: string, firstRow: number): string =>
  `${CHECKPOINT_PREFIX}${jobId}-${claimToken}-${firstRow}.zip`;

/** A checkpoint whose pictures lie in the store. */
export interface StoredCheckpoint extends Omit<RunCheckpoint, 'picturesPath'> {
  runnerKey: string;
  /** Null when there are none. */
  picturesKey: string | null;
}

/** All that a job has come to for good. */
export interface Progression extends Omit<RunResume, 'picturesPaths'> {
  /** In the order of their rows. */
  picturesKeys: string[];
}

/** How a new attempt begins. */
export interface Start {
  /** Rows that are taken over from the attempts before; 0: it begins at the first. */
  resumedRows: number;
  /** There was something to take over, now or before an earlier attempt, that could not be gone on from. */
  wasBegunAnew: boolean;
  /** Files of pictures that nothing refers to any more. */
  orphanedKeys: string[];
}
