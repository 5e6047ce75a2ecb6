import type { InferenceResult } from '../../contract/inference.contract.js';

export interface StoredResult {
  jobId: string;
  payload: InferenceResult;
  archive: Archive;
}

export interface Archive {
  key: string;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

export const RESULT_PREFIX = 'results/';

/** One key per attempt: what a late attempt leaves never lies where the winner's archive is. */
export const archiveKey = (jobId: string, claimToken: string): string => `${RESULT_PREFIX}${jobId}/${claimToken}.zip`;
