import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from './embedded-postgres.errors.js';

/** What a PostgreSQL server writes about itself into `postmaster.pid`. */
export interface PostmasterFile {
  pid: number;
  /** Folder of the Unix socket; empty early in the start. */
  socketDirectory: string;
  /** `starting`, `ready`, `stopping`, `standby`; empty early in the start. */
  status: string;
}

/** @returns undefined when there is no such file, or nothing sensible in it yet */
export async function readPostmasterFile(cluster: string): Promise<PostmasterFile | undefined> {
  const text = await readIfPresent(path.join(cluster, 'postmaster.pid'));
  // Lines: pid, data directory, start time, port, socket directory, listen address, shared memory key, status.
  const lines = text?.split('\n').map((line) => line.trim()) ?? [];
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, socketDirectory: lines[4] ?? '', status: lines[7] ?? '' };
}

/**
 * Whether that process is the live server of that cluster: not gone, not a zombie, and not an unrelated process that got
 * the same number later.
 */
export async function isServerOf(cluster: string, pid: number): Promise<boolean> {
  if (!(await isAlive(pid))) return false;
  const command = await commandLine(pid);
  return path.basename(command.program) === 'postgres' && command.includes(cluster);
}

/** Whether the process exists and is not a zombie, which only waits for its parent to take notice. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
    if (codeOf(error) !== 'EPERM') throw error; // EPERM: it exists and belongs to somebody else
  }
  if (process.platform !== 'linux') return true;
  const status = await readIfPresent(`/proc/${pid}/stat`);
  if (status === undefined) return false;
  // The name in parentheses may itself hold parentheses; the state follows the last one.
  const state = status[status.lastIndexOf(')') + 2];
  return state !== 'Z' && state !== 'X';
}

interface CommandLine {
  program: string;
  includes(argument: string): boolean;
}

async function commandLine(pid: number): Promise<CommandLine> {
  if (process.platform === 'linux') {
    const words = ((await readIfPresent(`/proc/${pid}/cmdline`)) ?? '').split('\0');
    return { program: words[0] ?? '', includes: (argument) => words.includes(argument) };
  }
  const line = await psCommand(pid);
  return { program: line.split(' -')[0]?.trim() ?? '', includes: (argument) => line.includes(argument) };
}

async function psCommand(pid: number): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { timeout: 5000 });
    return stdout.trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 1) return ''; // no such process any more
    throw error;
  }
}

async function readIfPresent(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch (error) {
    // ESRCH: the process ended between opening and reading its file below /proc.
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}
