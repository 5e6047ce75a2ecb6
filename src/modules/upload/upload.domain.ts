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
  createdAt: Date;
  expiresAt: Date;
}

export type NewUpload = Pick<Upload, 'id' | 'userId' | 'datasetId' | 'name' | 'type' | 'metadata' | 'length'>;

/** What one user may have begun and not finished. */
export const MAX_UNFINISHED_UPLOADS = 20;

/** The one refusal that the same file can outlive: the user gets credits, and finishes the upload. */
export const PAYABLE_PROBLEM = 'insufficient-credits' satisfies ProblemCode;

/** Whether the file is the reason, or what it is for: neither gets better by itself. */
export function isFinalRefusal(error: unknown): error is AppError {
  return error instanceof AppError && error.status < 500;
}

export function toProblem({ code, message, extensions }: AppError): UploadProblem {
  return { code, detail: message, extensions: { ...extensions } };
}

export const fromProblem = ({ code, detail, extensions }: UploadProblem): AppError =>
  new AppError(code, detail, { extensions });
