import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { AppError } from '../../platform/app-error.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import { DecoderFailedError } from '../../platform/media/video-decoder.port.js';
import { UUID_KEY } from '../../platform/page.js';
import { withoutKey } from '../../platform/once.js';
import type { ObjectStore } from '../../platform/storage/object-store.port.js';
import type { Video } from '../video/video.domain.js';
import type { VideoRepository } from '../video/video.repository.js';
import type { VideoService } from '../video/video.service.js';
import {
  fromProblem,
  isFinalRefusal,
  PAYABLE_PROBLEM,
  refusalOfUndecodable,
  toProblem,
  type NewUpload,
  type Upload,
} from './upload.domain.js';
import type { UploadRepository } from './upload.repository.js';

interface Repositories {
  uploads: UploadRepository;
  videos: VideoRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  videos: VideoService;
  store: ObjectStore;
  maxBytes: number;
  lifetimeSeconds: number;
  /** A server that is silent for this long has lost the upload that it was finishing. */
  claimSeconds: number;
  /** A complete upload that nobody has claimed for this long was left by a server that died. */
  graceSeconds: number;
  logger: Logger;
  /** Fires at shutdown: what is being finished is left to another server, or to the next start. */
  shutdown: AbortSignal;
}

/** Bytes that have arrived, of how many. */
export interface UploadProgress extends Upload {
  offset: number;
}

/** Longest wait for videos that are being made; what is still going on then goes on. */
const LONGEST_WAIT_MS = 25_000;
const POLL_MS = 250;
const BATCH = 100;
/** Uploads of dead servers that one server takes over at a time. */
const MAX_TAKEN_OVER = 2;

/**
 * Uploads that arrive in several requests. The bytes lie in the store, everything else is in the row: whoever claims a
 * complete upload makes videos of it, in one transaction with the move to `done`. So a last request that is repeated, sent
 * twice at once, or cut off by a crash leads to one set of videos and one charge.
 */
export class UploadService {
  private readonly running = new Map<string, Promise<void>>();

  constructor(private readonly deps: Deps) {}

  get maxBytes(): number {
    return this.deps.maxBytes;
  }

  get lifetimeSeconds(): number {
    return this.deps.lifetimeSeconds;
  }

  /**
   * Refuses what would be refused at the end anyway.
   * @throws AppError not-found, insufficient-credits, too-many-requests
   */
  async create(upload: NewUpload): Promise<Upload> {
    await this.deps.videos.checkUpload(upload.userId, upload.datasetId);
    return this.deps.uow.run(({ repositories }) => repositories.uploads.create(upload, this.deps.lifetimeSeconds));
  }

  /** @throws AppError not-found */
  async get(userId: string, id: string): Promise<UploadProgress> {
    return this.measured(await this.deps.repositories.uploads.get(userId, id));
  }

  /** @throws AppError not-found */
  async measure(id: string): Promise<UploadProgress> {
    return this.measured(await this.deps.repositories.uploads.getAny(id));
  }

  /** What an upload has become, as far as it still exists. */
  videosOf(upload: Upload): Promise<Video[]> {
    return this.deps.repositories.videos.listByIds(upload.videoIds);
  }

  /** @returns the new offset */
  async append(id: string, source: Readable, offset: number): Promise<number> {
    const upload = await this.deps.repositories.uploads.getAny(id);
    // Nothing is written to what is being read: the request says where it stands, and that is the end.
    if (upload.state !== 'receiving' || offset >= upload.length) return offset;
    const size = await this.deps.store.partial(id).append(source, offset);
    await this.deps.repositories.uploads.noteReceived(id, size);
    return size;
  }

  /** @throws AppError not-found, upload-not-open */
  async remove(id: string): Promise<void> {
    const { uploads } = this.deps.repositories;
    if (!(await uploads.deleteOpen(id))) {
      await uploads.getAny(id);
      throw new AppError('upload-not-open', 'The upload is being finished, or has become a video.');
    }
    await this.discard(id);
  }

  /**
   * Makes videos of a complete upload, or waits for who does; not for ever.
   * @returns the upload, `done` or still `processing`
   * @throws AppError upload-incomplete; what the upload was refused with; service-unavailable when it is left to others
   */
  async finish(userId: string, id: string): Promise<Upload> {
    const { uploads } = this.deps.repositories;
    const upload = await this.get(userId, id);
    if (upload.offset < upload.length) {
      throw new AppError('upload-incomplete', `${upload.length - upload.offset} bytes are still missing.`);
    }
    await this.start(id);
    const end = performance.now() + LONGEST_WAIT_MS;
    let current = await uploads.get(userId, id);
    while (current.state === 'processing' && performance.now() < end) {
      await settledWithin(end - performance.now(), this.running.get(id) ?? delay(POLL_MS));
      current = await uploads.get(userId, id);
    }
    if (current.problem !== null) throw fromProblem(current.problem);
    if (current.state === 'receiving') {
      throw new AppError('service-unavailable', 'The upload is complete and will be finished in a while.');
    }
    return current;
  }

  /** Takes over complete uploads that nobody is finishing. */
  async takeOver(): Promise<void> {
    const free = MAX_TAKEN_OVER - this.running.size;
    if (free <= 0) return;
    for (const id of await this.deps.repositories.uploads.listToFinish(this.deps.graceSeconds, free)) {
      const { offset, length } = await this.measure(id);
      if (offset === length) await this.start(id);
    }
  }

  /** Forgets uploads whose time is over, and takes away bytes that belong to no upload. */
  async removeExpired(): Promise<void> {
    const { uploads } = this.deps.repositories;
    let ids: string[];
    do {
      ids = await uploads.deleteExpired(BATCH);
      for (const id of ids) await this.discard(id);
      if (ids.length > 0) this.deps.logger.info('Forgot uploads whose time is over', { count: ids.length });
    } while (ids.length === BATCH);
    await this.removeOrphans();
  }

  /** Waits until everything that is being finished here has been given back. */
  async close(): Promise<void> {
    await Promise.all(this.running.values());
  }

  private async measured(upload: Upload): Promise<UploadProgress> {
    if (upload.state !== 'receiving') return { ...upload, offset: upload.length };
    // What lies in the store is what has arrived: a crash comes between the bytes and the row.
    const offset = Math.min(await this.deps.store.partial(upload.id).size(), upload.length);
    if (offset !== upload.received) await this.deps.repositories.uploads.noteReceived(upload.id, offset);
    return { ...upload, offset };
  }

  private async start(id: string): Promise<void> {
    if (this.deps.shutdown.aborted) return;
    const token = randomUUID();
    const upload = await this.deps.repositories.uploads.claim(id, token, this.deps.claimSeconds);
    if (upload === null) return;
    const work = this.makeVideos(upload, token).finally(() => this.running.delete(id));
    this.running.set(id, work);
  }

  /** Never rejects: what becomes of the upload stands in its row. */
  private async makeVideos(upload: Upload, token: string): Promise<void> {
    const claim = this.keepClaim(upload.id, token);
    try {
      await this.addVideos(upload, token, claim.signal);
      await this.discard(upload.id);
    } catch (error) {
      await this.settleFailure(upload, token, error).catch((settleError: unknown) => {
        // The claim runs out by itself, and another server tries again.
        this.deps.logger.error('A failed upload could not be given back', { id: upload.id, error: settleError });
      });
    } finally {
      claim.stop();
    }
  }

  private async addVideos(upload: Upload, token: string, signal: AbortSignal): Promise<void> {
    const { store, videos, maxBytes } = this.deps;
    const { id, userId, datasetId, name, type, length } = upload;
    // A copy: the bytes that arrived stay until the row says that they are no longer needed.
    const content = await store.stage(store.partial(id).read(), { signal, maxBytes });
    if (content.bytes !== length) {
      // Bytes that never reached the disk before a power cut: the upload is measured again, and the client goes on.
      await content.discard();
      throw new Error(`Of ${length} bytes ${content.bytes} are there`);
    }
    await videos.add(
      {
        ...{ userId, datasetId, name, type, content },
        alongside: ({ uploads }, added) =>
          uploads.complete(
            id,
            token,
            added.map((video) => video.id),
          ),
      },
      withoutKey(),
      signal,
    );
  }

  private async settleFailure(upload: Upload, token: string, cause: unknown): Promise<void> {
    const { logger, repositories, shutdown, lifetimeSeconds } = this.deps;
    const { id } = upload;
    const isOfDecoder = cause instanceof AppError && cause.cause instanceof DecoderFailedError && !shutdown.aborted;
    const error = (isOfDecoder ? refusalOfUndecodable(upload) : null) ?? cause;
    if (isFinalRefusal(error)) {
      const isRefused = await repositories.uploads.refuse(id, token, toProblem(error), lifetimeSeconds);
      if (isRefused && error.code !== PAYABLE_PROBLEM) await this.discard(id);
      return;
    }
    if (!shutdown.aborted) logger.warn('An upload could not be finished; it is tried again', { id, error });
    await repositories.uploads.unclaim(id, token, { ofDecoder: isOfDecoder ? 1 : 0 });
  }

  private keepClaim(id: string, token: string): { signal: AbortSignal; stop(): void } {
    const { repositories, claimSeconds, logger, shutdown } = this.deps;
    const lost = new AbortController();
    const timer = setInterval(
      () => {
        repositories.uploads.renewClaim(id, token, claimSeconds).then(
          (isHeld) => {
            if (!isHeld) lost.abort(new Error('Another server has taken over the upload'));
          },
          (error: unknown) => logger.warn('The claim on an upload could not be renewed', { id, error }),
        );
      },
      (claimSeconds * 1000) / 4,
    );
    return { signal: AbortSignal.any([shutdown, lost.signal]), stop: () => clearInterval(timer) };
  }

  /** Bytes without a row are nobody's: the row comes before them, and goes before them. */
  private async removeOrphans(): Promise<void> {
    const { store, repositories } = this.deps;
    let ids: string[] = [];
    const flush = async (): Promise<void> => {
      const known = await repositories.uploads.knownIds(ids);
      for (const id of ids) if (!known.has(id)) await this.discard(id);
      ids = [];
    };
    for await (const { key } of store.listPartials()) {
      // What has another name was not put there by us.
      if (UUID_KEY.test(key) && ids.push(key) === BATCH) await flush();
    }
    if (ids.length > 0) await flush();
  }

  /** What stays behind here is found when the upload's time is over. */
  private async discard(id: string): Promise<void> {
    try {
      await this.deps.store.partial(id).discard();
    } catch (error) {
      this.deps.logger.warn('The bytes of an upload stay behind', { id, error });
    }
  }
}

async function settledWithin(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
