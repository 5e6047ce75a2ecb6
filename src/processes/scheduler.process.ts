import type { Container } from '../composition/container.js';
import { startScheduler } from './start-parts.js';

/** Finds lost jobs, takes away what is left over. Several may run: every move they make is guarded. */
export function startSchedulerProcess(container: Container): Promise<void> {
  startScheduler(container);
  return Promise.resolve();
}
