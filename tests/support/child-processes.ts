import { readdir, readFile } from 'node:fs/promises';

/** Numbers of the live direct children of this process; none where there is no /proc. */
export async function childProcesses(): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const ours = await Promise.all(all.map(async (pid) => ((await parentOf(pid)) === process.pid ? Number(pid) : null)));
  return ours.filter((pid) => pid !== null);
}

/** @returns null for a process that has ended, also when nobody has asked yet how */
async function parentOf(pid: string): Promise<number | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name of the program stands in parentheses and may contain anything.
    const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? null : Number(parent);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
