import { randomUUID } from 'node:crypto';
import { AppError } from '../../platform/app-error.js';
import { violatesForeignKey } from '../../platform/database/database-errors.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { StoredFileDao } from './stored-file.dao.js';
import { newStorageKey, type ReservedFile } from './stored-file.domain.js';

/** Which files there are, and what holds them. */
export class StoredFileRepository {
  private readonly files: StoredFileDao;

  constructor(scope: DatabaseScope) {
    this.files = new StoredFileDao(scope);
  }

  /** Holds the file of this content, which may still have to be written. */
  async reserve({ sha256, bytes }: { sha256: string; bytes: number }, forSeconds: number): Promise<ReservedFile> {
    const reservationId = randomUUID();
    const storageKey = await this.files.reserve(
      { sha256, storageKey: newStorageKey(sha256), sizeBytes: bytes },
      { id: reservationId, forSeconds },
    );
    return { reservationId, storageKey };
  }

  /**
   * Ends the reservation in the transaction that writes what refers to the file from now on.
   * @throws AppError service-unavailable if it has run out, and the file may be gone
   */
  async claim({ reservationId }: ReservedFile): Promise<void> {
    if (await this.files.deleteReservation(reservationId)) return;
    throw new AppError('service-unavailable', 'Storing the file took too long; please try again.');
  }

  async release({ reservationId }: ReservedFile): Promise<void> {
    await this.files.deleteReservation(reservationId);
  }

  releaseExpired(): Promise<void> {
    return this.files.deleteExpiredReservations();
  }

  /** @returns whether nothing refers to the file: then nothing ever will, and it can be taken from the store */
  async forget(storageKey: string): Promise<boolean> {
    try {
      return await this.files.deleteIfUnreferenced(storageKey);
    } catch (error) {
      // Somebody came to hold it while we looked.
      if (violatesForeignKey(error)) return false;
      throw error;
    }
  }

  listUnreferenced(limit: number): Promise<string[]> {
    return this.files.listUnreferenced(limit);
  }

  knownKeys(keys: readonly string[]): Promise<Set<string>> {
    return this.files.knownKeys(keys);
  }
}
