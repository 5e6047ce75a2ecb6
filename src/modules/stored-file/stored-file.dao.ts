import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { StoredFileModel } from './stored-file.model.js';

/** Nothing that refers to a file: no video, and no upload under way. */
const UNREFERENCED = `
  NOT EXISTS (SELECT FROM videos WHERE videos.storage_key = stored_files.storage_key)
  AND NOT EXISTS (SELECT FROM file_reservations WHERE file_reservations.storage_key = stored_files.storage_key)`;

export class StoredFileDao extends BaseDao<StoredFileModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.storedFiles);
  }

  /**
   * The row of this content, made if there is none, and a reservation of it.
   *
   * Updating what is there locks it: a removal that is going on is waited for, and one that comes later finds the
   * reservation.
   * @param storageKey for content that is new
   * @returns where the content belongs
   */
  async reserve(
    file: { sha256: string; storageKey: string; sizeBytes: number },
    reservation: { id: string; forSeconds: number },
  ): Promise<string> {
    const [row] = await this.rows<{ storage_key: string }>(
      `WITH file AS (
         INSERT INTO stored_files (sha256, storage_key, size_bytes) VALUES ($1, $2, $3)
         ON CONFLICT (sha256) DO UPDATE SET size_bytes = excluded.size_bytes
         RETURNING storage_key
       )
       INSERT INTO file_reservations (id, storage_key, expires_at)
       SELECT $4, storage_key, now() + make_interval(secs => $5) FROM file
       RETURNING storage_key`,
      [file.sha256, file.storageKey, file.sizeBytes, reservation.id, reservation.forSeconds],
    );
    return row.storage_key;
  }

  async deleteReservation(id: string): Promise<boolean> {
    const deleted = await this.rows('DELETE FROM file_reservations WHERE id = $1 RETURNING id', [id]);
    return deleted.length === 1;
  }

  async deleteExpiredReservations(): Promise<void> {
    await this.rows('DELETE FROM file_reservations WHERE expires_at < now() RETURNING id', []);
  }

  /**
   * Takes away the row if nothing refers to it. A reference that is being written meanwhile makes this fail with the
   * violation of its foreign key.
   */
  async deleteIfUnreferenced(storageKey: string): Promise<boolean> {
    const deleted = await this.rows(
      `DELETE FROM stored_files WHERE storage_key = $1 AND ${UNREFERENCED} RETURNING storage_key`,
      [storageKey],
    );
    return deleted.length === 1;
  }

  async listUnreferenced(limit: number): Promise<string[]> {
    const rows = await this.rows<{ storage_key: string }>(
      `SELECT storage_key FROM stored_files WHERE ${UNREFERENCED} LIMIT $1`,
      [limit],
    );
    return rows.map((row) => row.storage_key);
  }

  /** Those of `keys` that have a row. */
  async knownKeys(keys: readonly string[]): Promise<Set<string>> {
    const rows = await this.rows<{ storage_key: string }>(
      'SELECT storage_key FROM stored_files WHERE storage_key = ANY ($1::text[])',
      [keys],
    );
    return new Set(rows.map((row) => row.storage_key));
  }
}
