import { writeFile } from 'node:fs/promises';

/** Linux: when memory runs out, this process is ended and not the one that serves users. Elsewhere it does nothing. */
export async function offerToOutOfMemoryKiller(): Promise<void> {
  if (process.platform !== 'linux') return;
  try {
    await writeFile('/proc/self/oom_score_adj', '1000');
  } catch (error) {
    // A sandbox may forbid it; the work itself does not depend on it.
    const isForbidden = ['EACCES', 'EPERM', 'ENOENT', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!isForbidden) throw error;
  }
}
