import fs from 'node:fs';
import type { Logger } from '../../logging/logger.js';
import { codeOf, messageOf } from './embedded-postgres.errors.js';

/** The server's own log: one file and its predecessor, each of about `LARGEST_LOG_BYTES` at most. */
export interface ServerLog {
  /** For the server's standard error. */
  readonly descriptor: number;
  /** What the server has written since this was opened, the last few kilobytes of it. */
  tail(): string;
  close(): void;
}

const LARGEST_LOG_BYTES = 5 * 1024 * 1024;
const SIZE_CHECK_INTERVAL_MS = 60_000;
const TAIL_BYTES = 8 * 1024;

export function openServerLog(path: string, logger: Logger): ServerLog {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW = 0 } = fs.constants;
  const descriptor = fs.openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  rotateIfLarge(descriptor, path, logger);
  let startedAt = fs.fstatSync(descriptor).size;
  const timer = setInterval(() => {
    if (rotateIfLarge(descriptor, path, logger)) startedAt = 0;
  }, SIZE_CHECK_INTERVAL_MS);
  timer.unref();

  return {
    descriptor,
    tail: () => readFrom(descriptor, startedAt),
    close: () => {
      clearInterval(timer);
      fs.closeSync(descriptor);
    },
  };
}

/** Copies and empties, because the running server keeps writing to the open file; appending, it goes on at the start. */
function rotateIfLarge(descriptor: number, path: string, logger: Logger): boolean {
  try {
    if (fs.fstatSync(descriptor).size < LARGEST_LOG_BYTES) return false;
    fs.copyFileSync(path, `${path}.1`);
    fs.ftruncateSync(descriptor, 0);
    return true;
  } catch (error) {
    // A full disk must not stop the server; the next round tries again.
    logger.warn('the database log could not be rotated', { path, code: codeOf(error), reason: messageOf(error) });
    return false;
  }
}

function readFrom(descriptor: number, startedAt: number): string {
  const { size } = fs.fstatSync(descriptor);
  const from = Math.max(startedAt, size - TAIL_BYTES, 0);
  const buffer = Buffer.alloc(Math.max(size - from, 0));
  const length = fs.readSync(descriptor, buffer, 0, buffer.length, from);
  return buffer.toString('utf8', 0, length).trim();
}
