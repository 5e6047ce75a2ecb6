/** How long a remote runner waits, and how much it takes. Times in milliseconds, sizes in bytes. */
export interface RemoteLimits {
  /** From the wish for a connection to a connection, name and TLS included. */
  connectMs: number;
  /** For small calls as a whole: health, capabilities, progress. */
  callMs: number;
  /** Longest silence while bytes are to flow, in either direction. */
  idleMs: number;
  /** From the last byte of a job's input to the first of its answer; null leaves it to the deadline of the job. */
  answerMs: number | null;
  /** From the first byte of an answer in JSON to its last. */
  readMs: number;
  /** The same for an archive. */
  archiveMs: number;
  /** A server that tells of its progress may stand still for this long. */
  stallMs: number;
  /** Largest answer in JSON. */
  answerBytes: number;
  /** Largest archive. */
  archiveBytes: number;
}

/** Answers that say something about a server or a job, and hold no rows. */
export const SMALL_ANSWER_BYTES = 1024 ** 2;

export const DEFAULT_REMOTE_LIMITS: RemoteLimits = {
  connectMs: 10_000,
  callMs: 10_000,
  idleMs: 60_000,
  answerMs: null,
  readMs: 60_000,
  archiveMs: 15 * 60_000,
  // A frame of the largest size takes ten seconds on a common core; slow or crowded machines get their time.
  stallMs: 300_000,
  // A row with its report takes some 300 bytes: enough for 200,000 frames.
  answerBytes: 64 * 1024 ** 2,
  archiveBytes: 8 * 1024 ** 3,
};
