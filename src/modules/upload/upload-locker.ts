import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Lock, Locker, RequestRelease } from '@tus/server';
import { AppError } from '../../platform/app-error.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { UploadRepository } from './upload.repository.js';

interface Deps {
  uploads: UploadRepository;
  logger: Logger;
}

/** A holder that is silent for this long is taken for dead. */
const LEASE_SECONDS = 10;
const RENEW_MS = 1_000;
const RETRY_MS = 100;
/** Longer than the lease: whoever waits for the lock of a dead process gets it. */
const LONGEST_WAIT_MS = 15_000;

/**
 * One writer per upload over all processes, by a lease in its row. A newcomer asks the holder to let go: mostly it is
 * the same client, whose old connection nobody has told the server the end of.
 */
export class UploadLocker implements Locker {
  /** Holders in this process, which need not wait for their next look at the row. */
  private readonly holders = new Map<string, RequestRelease>();

  constructor(private readonly deps: Deps) {}

  newLock(id: string): Lock {
    const token = randomUUID();
    let renewal: NodeJS.Timeout | undefined;
    return {
      lock: async (signal, requestRelease) => {
        await this.acquire(id, token, signal);
        this.holders.set(id, requestRelease);
        renewal = this.keep(id, token, requestRelease);
      },
      unlock: async () => {
        clearInterval(renewal);
        this.holders.delete(id);
        await this.deps.uploads.releaseLock(id, token);
      },
    };
  }

  private async acquire(id: string, token: string, signal: AbortSignal): Promise<void> {
    const { uploads } = this.deps;
    const end = performance.now() + LONGEST_WAIT_MS;
    while (!(await uploads.acquireLock(id, token, LEASE_SECONDS))) {
      // Given up meanwhile, it has no lock that could ever be had.
      await uploads.getAny(id);
      if (signal.aborted || performance.now() > end) {
        throw new AppError('upload-busy', 'Another request is writing to this upload; please try again.');
      }
      await this.holders.get(id)?.();
      await uploads.wantLock(id);
      await delay(RETRY_MS);
    }
  }

  private keep(id: string, token: string, requestRelease: RequestRelease): NodeJS.Timeout {
    const timer = setInterval(() => {
      this.deps.uploads.renewLock(id, token, LEASE_SECONDS).then(
        async (answer) => {
          if (answer === null || answer.isWanted) await requestRelease();
        },
        (error: unknown) => this.deps.logger.warn('The lock of an upload could not be renewed', { id, error }),
      );
    }, RENEW_MS);
    return timer;
  }
}
