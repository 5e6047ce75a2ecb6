import { isDatabase, processTree } from '../../support/process-tree.js';
import { until } from '../../support/wait.js';

export const MEBIBYTE = 1 << 20;

/** Resident memory, bytes. */
export interface Memory {
  /** Of the main process. */
  main: number;
  /** Of it and all processes below it but the database's. */
  all: number;
}

/**
 * Resident memory of a process and its children at its highest while `work` goes on.
 *
 * @param deadline milliseconds that the work may take
 */
export async function peakMemory(pid: number, work: () => Promise<unknown>, deadline: number): Promise<Memory> {
  const peak: Memory = { main: 0, all: 0 };
  let isDone = false;
  const finished = work().finally(() => (isDone = true));
  const watched = until(
    async () => {
      const tree = (await processTree(pid)).filter((candidate) => !isDatabase(candidate));
      peak.main = Math.max(peak.main, tree.find((candidate) => candidate.pid === pid)?.rssBytes ?? 0);
      peak.all = Math.max(
        peak.all,
        tree.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
      );
      return isDone;
    },
    { deadline, what: 'the work is over' },
  );
  await Promise.all([finished, watched]);
  return peak;
}

export function inMebibytes(bytes: number): string {
  return `${bytes < 0 ? '' : '+'}${(bytes / MEBIBYTE).toFixed(1)} MiB`;
}
