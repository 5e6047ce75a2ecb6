import type { UploadType } from '../../contract/dataset.contract.js';
import type { ProblemCode } from '../../contract/problem.contract.js';
import type { UploadState } from '../../contract/upload.contract.js';
import { AppError } from '../../platform/app-error.js';

/** Why an upload was refused, as the API told it. */
export interface UploadProblem {
  code: ProblemCode;
  detail: string;
  extensions: Record<string, number | string>;
}

/** A file that arrives in several requests. */
export interface Upload {
  id: string;
  userId: string;
  datasetId: string;
  name: string;
  type: UploadType;
  /** As the client sent it. */
  metadata: Record<string, string | null>;
  /** Bytes of the whole file. */
  length: number;
  /** Bytes that were there when it was last looked. */
  received: number;
  state: UploadState;
  /** With the state `refused`, else null. */
  problem: UploadProblem | null;
  /** With the state `done`, else empty. */
  videoIds: string[];
  /** How often the decoder has failed on it, and nobody can say whose fault that was. */
  decoderFailures: number;
  createdAt: Date;
  expiresAt: Date;
}

export type NewUpload = Pick<Upload, 'id' | 'userId' | 'datasetId' | 'name' | 'type' | 'metadata' | 'length'>;

/** What one user may have begun and not finished. */
export const MAX_UNFINISHED_UPLOADS = 20;

/** The one refusal that the same file can outlive: the user gets credits, and finishes the upload. */
export const PAYABLE_PROBLEM = 'insufficient-credits' satisfies ProblemCode;

/** Once may be an accident of the machine; a file that fails so often is the reason itself. */
const TOLERATED_DECODER_FAILURES = 2;

/** @returns the refusal of a file on which the decoder has failed once more; null while it may be tried again */
export function refusalOfUndecodable({ decoderFailures }: Pick<Upload, 'decoderFailures'>): AppError | null {
  const failures = decoderFailures + 1;
  if (failures <= TOLERATED_DECODER_FAILURES) return null;
  return new AppError(
    'unsupported-video',
    `The decoder failed on this file ${failures} times. Export the video again, and upload it anew.`,
  );
}

/** Whether the file is the reason, or what it is for: neither gets better by itself. */
export function isFinalRefusal(error: unknown): error is AppError {
  return error instanceof AppError && error.status < 500;
}

export function toProblem({ code, message, extensions }: AppError): UploadProblem {
  return { code, detail: message, extensions: { ...extensions } };
}

export const fromProblem = ({ code, detail, extensions }: UploadProblem): AppError =>
  new AppError(code, detail, { extensions });
