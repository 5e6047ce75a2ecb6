import type { Container } from '../composition/container.js';
import { startWorker } from './start-parts.js';

/** Takes jobs from the queue and runs them. */
export function startWorkerProcess(container: Container): Promise<void> {
  return startWorker(container);
}
