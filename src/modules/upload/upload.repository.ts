import { AppError, notFound } from '../../platform/app-error.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { UploadDao, type UploadRow } from './upload.dao.js';
import { MAX_UNFINISHED_UPLOADS, type NewUpload, type Upload, type UploadProblem } from './upload.domain.js';

/** Uploads by their owner; for work on a single one, by its id and the token of whoever does it. */
export class UploadRepository {
  private readonly uploads: UploadDao;

  constructor(scope: DatabaseScope) {
    this.uploads = new UploadDao(scope);
  }

  /**
   * In a transaction: two at once would both find room for one.
   * @throws AppError too-many-requests
   */
  async create(upload: NewUpload, lifetimeSeconds: number): Promise<Upload> {
    if ((await this.uploads.countUnfinished(upload.userId)) >= MAX_UNFINISHED_UPLOADS) {
      throw new AppError(
        'too-many-requests',
        `You have ${MAX_UNFINISHED_UPLOADS} uploads that are not finished; finish or delete one first.`,
      );
    }
    return present(await this.uploads.insertExpiring({ ...upload, length: String(upload.length) }, lifetimeSeconds));
  }

  /** @throws AppError not-found */
  async get(userId: string, id: string): Promise<Upload> {
    return present(await this.uploads.findOwned(userId, id));
  }

  /** @throws AppError not-found */
  async getAny(id: string): Promise<Upload> {
    return present(await this.uploads.findById(id));
  }

  noteReceived(id: string, received: number): Promise<void> {
    return this.uploads.noteReceived(id, received);
  }

  /** @returns null when there is nothing to finish, or somebody else is at it */
  async claim(id: string, token: string, seconds: number): Promise<Upload | null> {
    const row = await this.uploads.claim(id, token, seconds);
    return row === null ? null : toUpload(row);
  }

  /** @returns whether the claim is still the caller's */
  async renewClaim(id: string, token: string, seconds: number): Promise<boolean> {
    return (await this.uploads.renewClaim(id, token, seconds)) !== null;
  }

  /** @throws AppError service-unavailable when the claim is no longer the caller's */
  async complete(id: string, token: string, videoIds: string[]): Promise<void> {
    if ((await this.uploads.complete(id, token, videoIds)) !== null) return;
    throw new AppError('service-unavailable', 'Another server is finishing this upload.');
  }

  /** @returns whether the claim was the caller's */
  async refuse(id: string, token: string, problem: UploadProblem, lifetimeSeconds: number): Promise<boolean> {
    return (await this.uploads.refuse(id, token, problem, lifetimeSeconds)) !== null;
  }

  async unclaim(id: string, token: string, failures: { ofDecoder: 0 | 1 }): Promise<void> {
    await this.uploads.unclaim(id, token, failures);
  }

  listToFinish(graceSeconds: number, limit: number): Promise<string[]> {
    return this.uploads.listToFinish(graceSeconds, limit);
  }

  /** @returns whether it was there and open */
  deleteOpen(id: string): Promise<boolean> {
    return this.uploads.deleteOpen(id);
  }

  deleteExpired(limit: number): Promise<string[]> {
    return this.uploads.deleteExpired(limit);
  }

  knownIds(ids: readonly string[]): Promise<Set<string>> {
    return this.uploads.knownIds(ids);
  }

  acquireLock(id: string, token: string, seconds: number): Promise<boolean> {
    return this.uploads.acquireLock(id, token, seconds);
  }

  wantLock(id: string): Promise<void> {
    return this.uploads.wantLock(id);
  }

  renewLock(id: string, token: string, seconds: number): Promise<{ isWanted: boolean } | null> {
    return this.uploads.renewLock(id, token, seconds);
  }

  releaseLock(id: string, token: string): Promise<void> {
    return this.uploads.releaseLock(id, token);
  }
}

function present(row: UploadRow | null): Upload {
  if (row === null) throw notFound('upload');
  return toUpload(row);
}

function toUpload(row: UploadRow): Upload {
  const {
    id,
    userId,
    datasetId,
    name,
    type,
    metadata,
    state,
    problem,
    videoIds,
    decoderFailures,
    createdAt,
    expiresAt,
  } = row;
  const [length, received] = [Number(row.length), Number(row.received)];
  return {
    ...{ id, userId, datasetId, name, type, metadata, length, received },
    ...{ state, problem, videoIds, decoderFailures, createdAt, expiresAt },
  };
}
