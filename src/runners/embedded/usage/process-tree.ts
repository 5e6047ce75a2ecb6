import { readdirSync, readFileSync } from 'node:fs';

/** The kernel reports process times to user space in this unit on every Linux architecture (`USER_HZ`). */
export const TICKS_PER_SECOND = 100;

const PROC = '/proc';

export interface TreeReading {
  /** Of this process and all its descendants, those that have ended included (Linux; elsewhere of this process only). */
  cpuSeconds: number;
  /** Resident memory of all that are alive; pages that several of them share count for each. */
  residentBytes: number;
}

/**
 * What this process and its children have consumed so far. That is how the share of a decoder is known without asking
 * it. A child that ends between two looks may be missing from one reading, never from those behind it.
 */
export function readProcessTree(): TreeReading {
  const own = process.cpuUsage();
  const ended = statOf('self')?.endedChildrenSeconds ?? 0;
  const reading = {
    cpuSeconds: (own.user + own.system) / 1e6 + ended,
    residentBytes: process.memoryUsage.rss(),
  };
  for (const child of childrenOf('self')) addTree(child, reading);
  return reading;
}

function addTree(pid: string, reading: TreeReading): void {
  const stat = statOf(pid);
  if (stat === null) return;
  reading.cpuSeconds += stat.ownSeconds + stat.endedChildrenSeconds;
  reading.residentBytes += residentBytesOf(pid);
  for (const child of childrenOf(pid)) addTree(child, reading);
}

interface ProcessStat {
  ownSeconds: number;
  /** Of children that were waited for. */
  endedChildrenSeconds: number;
}

/** `utime`, `stime`, `cutime`, `cstime` of proc(5). */
function statOf(pid: string): ProcessStat | null {
  const stat = readProc(`${pid}/stat`);
  if (stat === null) return null;
  // The second field is the command in parentheses and may hold spaces: count from the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const seconds = (first: number) => (Number(fields[first]) + Number(fields[first + 1])) / TICKS_PER_SECOND;
  return { ownSeconds: seconds(11), endedChildrenSeconds: seconds(13) };
}

function residentBytesOf(pid: string): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`) ?? '')?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

/** Each thread has a list of the children that it has started. */
function childrenOf(pid: string): string[] {
  return threadsOf(pid).flatMap((thread) =>
    (readProc(`${pid}/task/${thread}/children`) ?? '').split(' ').filter((child) => child !== ''),
  );
}

function threadsOf(pid: string): string[] {
  try {
    return readdirSync(`${PROC}/${pid}/task`);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** @returns null where there is no such file: the process has ended, or this is not Linux */
function readProc(file: string): string | null {
  try {
    return readFileSync(`${PROC}/${file}`, 'utf8');
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** ESRCH: it ended between opening and reading. EACCES: it is another user's by now. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH', 'EACCES'].includes(String(error.code));
}
