import type { RecordedAnswer } from '../../platform/once.js';

/** One key of one user, and what was asked with it. */
export interface KeyedRequest {
  userId: string;
  key: string;
  /** Lower-case hex SHA-256 of the operation and its input. */
  fingerprint: string;
}

export interface AnsweredRequest {
  fingerprint: string;
  answer: RecordedAnswer;
}
