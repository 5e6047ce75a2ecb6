import { writeFile } from 'node:fs/promises';

/**
 * Linux: when memory runs out, this process is ended and not the one that serves users. Elsewhere it does nothing.
 *
 * @param score 0…1000; the higher, the sooner (proc(5), oom_score_adj)
 */
export async function offerToOutOfMemoryKiller(score: number): Promise<void> {
  if (process.platform !== 'linux') return;
  try {
    await writeFile('/proc/self/oom_score_adj', String(score));
  } catch (error) {
    // A sandbox may forbid it; the work itself does not depend on it.
    const isForbidden = ['EACCES', 'EPERM', 'ENOENT', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!isForbidden) throw error;
  }
}
