import type { StoredInferenceResult } from '../../contract/inference.contract.js';

export interface NewResult {
  jobId: string;
  payload: StoredInferenceResult;
  archive: Archive;
  /** Seconds until it expires; null for never. */
  keptSeconds: number | null;
}

export interface Archive {
  key: string;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

/** Why a result is no longer there. */
export const REMOVALS = ['deleted', 'expired'] as const;
export type Removal = (typeof REMOVALS)[number];

interface ResultFacts {
  jobId: string;
  archive: Archive;
  expiresAt: Date | null;
}

export interface StoredResult extends ResultFacts {
  gone: null;
  payload: StoredInferenceResult;
}

export interface GoneResult extends ResultFacts {
  gone: { because: Removal; at: Date };
}

export const RESULT_PREFIX = 'results/';

/** One key per attempt: what a late attempt leaves never lies where the winner's archive is. */
export const archiveKey = (jobId: string, claimToken: string): string => `${RESULT_PREFIX}${jobId}/${claimToken}.zip`;
