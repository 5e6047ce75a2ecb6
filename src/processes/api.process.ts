import type { Container } from '../composition/container.js';
import { announce, ensureAdmin } from './announce.js';
import { startHttp } from './start-parts.js';

/** HTTP and WebSocket. Jobs are left to workers. */
export async function startApi(container: Container): Promise<void> {
  const admin = await ensureAdmin(container);
  announce(await startHttp(container), admin);
}
