import { randomUUID } from 'node:crypto';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { ResultDao } from './result.dao.js';
import type { StoredResult } from './result.domain.js';

/** Exactly one result per job; the unique key on the job says so. */
export class ResultRepository {
  private readonly results: ResultDao;

  constructor(scope: DatabaseScope) {
    this.results = new ResultDao(scope);
  }

  async add({ jobId, payload, archive }: StoredResult): Promise<void> {
    await this.results.insert({
      id: randomUUID(),
      jobId,
      payload,
      archiveKey: archive.key,
      archiveBytes: String(archive.bytes),
      archiveSha256: archive.sha256,
    });
  }

  async ofJob(jobId: string): Promise<StoredResult | null> {
    const row = await this.results.findByJob(jobId);
    if (row === null) return null;
    const archive = { key: row.archiveKey, bytes: Number(row.archiveBytes), sha256: row.archiveSha256 };
    return { jobId, payload: row.payload, archive };
  }

  knownArchiveKeys(keys: readonly string[]): Promise<Set<string>> {
    return this.results.knownArchiveKeys(keys);
  }
}
