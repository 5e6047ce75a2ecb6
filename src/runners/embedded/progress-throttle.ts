import type { RunProgress } from '../runner.port.js';

/**
 * Passes progress on at most once per `everyMs`; the first and the last report always pass, the last one once.
 * Works without a timer, so nothing has to be cleaned up.
 */
export function throttleProgress(
  everyMs: number,
  report: (progress: RunProgress) => void,
): (progress: RunProgress) => void {
  let reportedAt = -Infinity;
  let lastReported = -1;
  return (progress) => {
    const isLast = progress.processed === progress.total;
    const isDue = performance.now() - reportedAt >= everyMs;
    if (progress.processed === lastReported || !(isLast || isDue)) return;
    reportedAt = performance.now();
    lastReported = progress.processed;
    report(progress);
  };
}
