import type { Container } from '../composition/container.js';
import { announce, ensureAdmin } from './announce.js';
import { startHttp, startScheduler, startWorker } from './start-parts.js';

/** API, worker and scheduler on one container: a laptop, or a single server. */
export async function startAll(container: Container): Promise<void> {
  const admin = await ensureAdmin(container);
  await startWorker(container);
  startScheduler(container);
  announce(await startHttp(container), admin);
}
