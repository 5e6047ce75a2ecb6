import { readFileSync } from 'node:fs';

import type { RunUsage } from '../runner.port.js';

/** The kernel reports process times to user space in this unit on every Linux architecture (`USER_HZ`). */
const TICKS_PER_SECOND = 100;

export interface UsageMeter {
  /** Consumption since the meter was started; CPU includes child processes that have ended by now (Linux). */
  read(): RunUsage;
}

/**
 * Starts to measure this process. One job runs in a process at a time, so the difference is the job's own.
 *
 * @param before consumed by the attempts before; counted as well
 */
export function startUsageMeter(before?: RunUsage): UsageMeter {
  const startedAt = performance.now();
  const ownAtStart = process.cpuUsage();
  const childrenAtStart = endedChildrenCpuSeconds();
  return {
    read() {
      const own = process.cpuUsage(ownAtStart);
      const ownSeconds = (own.user + own.system) / 1e6;
      return {
        wallSeconds: (before?.wallSeconds ?? 0) + (performance.now() - startedAt) / 1000,
        cpuSeconds: (before?.cpuSeconds ?? 0) + ownSeconds + endedChildrenCpuSeconds() - childrenAtStart,
        gpuSeconds: before?.gpuSeconds ?? 0,
        energy: null,
        reportedCarbonGrams: null,
      };
    },
  };
}

/**
 * CPU seconds of child processes already waited for: `cutime + cstime` of proc(5). This is how the decoder's share is
 * known without asking it. Elsewhere than on Linux the file does not exist and the share counts as zero.
 */
function endedChildrenCpuSeconds(): number {
  const stat = readProcessStat();
  if (stat === null) return 0;
  // The second field is the command in parentheses and may hold spaces: count from the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

function readProcessStat(): string | null {
  try {
    return readFileSync('/proc/self/stat', 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
