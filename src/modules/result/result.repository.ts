import { randomUUID } from 'node:crypto';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { ResultDao } from './result.dao.js';
import type { GoneResult, NewResult, StoredResult } from './result.domain.js';

/** Exactly one result per job; the unique key on the job says so. */
export class ResultRepository {
  private readonly results: ResultDao;

  constructor(scope: DatabaseScope) {
    this.results = new ResultDao(scope);
  }

  async add({ jobId, payload, archive, keptSeconds }: NewResult): Promise<void> {
    await this.results.insertExpiring(keptSeconds, {
      id: randomUUID(),
      jobId,
      payload,
      archiveKey: archive.key,
      archiveBytes: String(archive.bytes),
      archiveSha256: archive.sha256,
    });
  }

  async ofJob(jobId: string): Promise<StoredResult | GoneResult | null> {
    const row = await this.results.findByJob(jobId);
    if (row === null) return null;
    const archive = { key: row.archiveKey, bytes: Number(row.archiveBytes), sha256: row.archiveSha256 };
    const facts = { jobId, archive, expiresAt: row.expiresAt };
    if (row.removal !== null && row.removedAt !== null) {
      return { ...facts, gone: { because: row.removal, at: row.removedAt } };
    }
    // Its row may be waiting for the cleaner.
    if (row.isExpired && row.expiresAt !== null) return { ...facts, gone: { because: 'expired', at: row.expiresAt } };
    if (row.payload === null) throw new Error(`The result of job ${jobId} has neither a payload nor an end`);
    return { ...facts, gone: null, payload: row.payload };
  }

  /**
   * The result is gone with this transaction; its file is the caller's to take away, or the sweeper's.
   * @returns the key of the archive; null when the result is not there any more
   */
  delete(jobId: string): Promise<string | null> {
    return this.results.remove(jobId, 'deleted');
  }

  /** Removes some of the results whose time is over. @returns the keys of their archives */
  removeExpired(limit: number): Promise<string[]> {
    return this.results.removeExpired(limit);
  }

  knownArchiveKeys(keys: readonly string[]): Promise<Set<string>> {
    return this.results.knownArchiveKeys(keys);
  }
}
