import { processTree } from '../../tests/support/process-tree.js';

const EVERY_MS = 200;

export interface MemoryWatch {
  stop(): void;
  /** Greatest resident memory seen of the process trees together; 0 where /proc does not tell. */
  peakBytes(): number;
}

/** Looks every 200 ms at the memory of processes and everything below them. */
export function watchMemory(pids: () => number[]): MemoryWatch {
  let peak = 0;
  let stopped = false;
  const look = async (): Promise<void> => {
    const trees = await Promise.all(pids().map((pid) => processTree(pid).catch(() => [])));
    const total = trees.flat().reduce((sum, { rssBytes }) => sum + rssBytes, 0);
    peak = Math.max(peak, total);
    if (!stopped) timer = setTimeout(() => void look(), EVERY_MS);
  };
  let timer = setTimeout(() => void look(), EVERY_MS);
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
    peakBytes: () => peak,
  };
}
