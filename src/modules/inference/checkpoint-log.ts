import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore } from '../../platform/storage/object-store.port.js';
import { CHECKPOINT_STATE_BYTES, type RunCheckpoint } from '../../runners/runner.port.js';
import { picturesKey } from './checkpoint.domain.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import type { Claim } from './inference.domain.js';

interface Deps {
  uow: UnitOfWork<{ checkpoints: CheckpointRepository }>;
  store: Pick<ObjectStore, 'stage' | 'delete'>;
  logger: Logger;
  /** Of the runner that makes them. */
  runnerKey: string;
}

/** Waiting for a database or a disk that is away; behind these no more are made in this attempt. */
const MOST_WAITING = 100;
/** What waits for a row that somebody holds is tried again. */
const LOCKS = { lockTimeoutMs: 5_000 };

/**
 * Keeps the checkpoints of one attempt: pictures in the object store, rows in the database under its claim. A failure
 * here never harms the run: the checkpoint is tried again, in its order, and at worst an attempt after this one goes on
 * from an older one.
 */
export class CheckpointLog {
  private waiting: RunCheckpoint[] = [];
  /** Of the pictures of the first that waits, once they lie in the store. */
  private storedKey: string | null = null;
  private writing: Promise<void> = Promise.resolve();
  private isWriting = false;
  private isGivenUp = false;

  constructor(
    private readonly claim: Claim,
    private readonly deps: Deps,
  ) {}

  add(checkpoint: RunCheckpoint): void {
    const isUsable = checkpoint.state.byteLength <= CHECKPOINT_STATE_BYTES && checkpoint.velocity.length > 0;
    if (!this.isGivenUp && isUsable && this.waiting.length < MOST_WAITING) {
      this.waiting.push(checkpoint);
      this.tell();
      return;
    }
    // One without its predecessor is worth nothing.
    if (!this.isGivenUp) this.giveUp('No more checkpoints of this attempt are kept', { isUsable });
    void this.removePictures(checkpoint);
  }

  /** Writes what waits, unless that is going on. */
  tell(): void {
    if (this.isWriting || this.waiting.length === 0) return;
    this.isWriting = true;
    this.writing = this.writeAll().finally(() => {
      this.isWriting = false;
    });
  }

  /** Writes what waits, as far as that succeeds now. Nothing is written afterwards. */
  async flush(): Promise<void> {
    await this.writing;
    this.tell();
    await this.close();
  }

  /** Drops what waits. Nothing is written afterwards. */
  async close(): Promise<void> {
    await this.writing;
    this.isGivenUp = true;
    await this.dropWaiting();
  }

  private async writeAll(): Promise<void> {
    try {
      for (let next = this.waiting.at(0); next !== undefined && !this.isGivenUp; next = this.waiting.at(0)) {
        if (!(await this.write(next))) {
          this.giveUp('The claim is lost, and with it this checkpoint');
          return;
        }
        this.waiting.shift();
        this.storedKey = null;
        await this.removePictures(next);
      }
    } catch (error) {
      this.deps.logger.warn('A checkpoint cannot be kept now; trying again', { error });
    }
  }

  /** @returns false when the claim is lost */
  private async write(checkpoint: RunCheckpoint): Promise<boolean> {
    const { picturesPath, ...rows } = checkpoint;
    const key = picturesPath === null ? null : await this.storePictures(checkpoint.firstRow, picturesPath);
    const stored = { ...rows, runnerKey: this.deps.runnerKey, picturesKey: key };
    this.storedKey = key;
    const isOurs = await this.deps.uow.run(
      ({ repositories }) => repositories.checkpoints.addIfClaimed(this.claim, stored),
      LOCKS,
    );
    return isOurs;
  }

  /** File before row: without the row the sweeper takes the file away. */
  private async storePictures(firstRow: number, path: string): Promise<string> {
    const key = picturesKey(this.claim.job.id, this.claim.token, firstRow);
    const staged = await this.deps.store.stage(createReadStream(path), {
      signal: new AbortController().signal,
      maxBytes: Number.MAX_SAFE_INTEGER,
    });
    try {
      await staged.commit(key);
    } finally {
      await staged.discard();
    }
    return key;
  }

  private giveUp(message: string, detail: Record<string, unknown> = {}): void {
    this.isGivenUp = true;
    this.deps.logger.warn(message, detail);
    void this.dropWaiting();
  }

  private async dropWaiting(): Promise<void> {
    const dropped = this.waiting;
    const key = this.storedKey;
    this.waiting = [];
    this.storedKey = null;
    for (const checkpoint of dropped) await this.removePictures(checkpoint);
    if (key !== null) await this.removeUnreferenced(key);
  }

  /** Its row may have been written without our hearing of it: without an answer the file is left to the sweeper. */
  private async removeUnreferenced(key: string): Promise<void> {
    try {
      const known = await this.deps.uow.run(({ repositories }) => repositories.checkpoints.knownPicturesKeys([key]));
      if (!known.has(key)) await this.deps.store.delete(key);
    } catch (error) {
      this.deps.logger.warn('Pictures of a checkpoint stay behind for the sweeper', { key, error });
    }
  }

  private async removePictures({ picturesPath }: RunCheckpoint): Promise<void> {
    if (picturesPath === null) return;
    try {
      await rm(picturesPath, { force: true });
    } catch (error) {
      this.deps.logger.warn('Pictures of a checkpoint stay behind for the sweeper', { path: picturesPath, error });
    }
  }
}
