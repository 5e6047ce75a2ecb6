import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

/** A live process, as /proc shows it. */
export interface ProcessInfo {
  pid: number;
  parent: number;
  /** Its command line, words separated by blanks. */
  command: string;
  /** Working folder; empty where it cannot be read. */
  folder: string;
  /** Resident memory. */
  rssBytes: number;
}

/** All processes that hang below `pid` now, itself first when it lives. */
export async function processTree(pid: number): Promise<ProcessInfo[]> {
  const all = await listProcesses();
  const found = all.filter((candidate) => candidate.pid === pid);
  for (let k = 0; k < found.length; k++) found.push(...all.filter(({ parent }) => parent === found[k].pid));
  return found;
}

/**
 * Processes that work in a folder or below it. A child inherits the working folder, and the database server makes its
 * data folder its own: so this finds what outlived its parent, too.
 */
export async function processesIn(folder: string): Promise<ProcessInfo[]> {
  return (await listProcesses()).filter(
    (candidate) => candidate.folder === folder || candidate.folder.startsWith(`${folder}/`),
  );
}

export function isDatabase({ command }: ProcessInfo): boolean {
  return basename(command.split(' ')[0]).startsWith('postgres');
}

export function describeProcesses(processes: readonly ProcessInfo[]): string {
  return processes.map(({ pid, parent, command }) => `${pid} (child of ${parent}) ${command}`).join('\n');
}

async function listProcesses(): Promise<ProcessInfo[]> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(numbers.map(readProcess));
  return found.filter((entry) => entry !== null);
}

async function readProcess(pid: number): Promise<ProcessInfo | null> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
    if (field('State') === 'Z') return null;
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
    const folder = await readlink(`/proc/${pid}/cwd`);
    return { pid, parent: Number(field('PPid')), command, folder, rssBytes: Number(field('VmRSS')) * 1024 };
  } catch (error) {
    // It ended while it was looked at, or belongs to somebody whom this user may not look at.
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
