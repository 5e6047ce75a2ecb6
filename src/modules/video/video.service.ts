import { randomUUID } from 'node:crypto';
import { AppError } from '../../platform/app-error.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import {
  DecoderFailedError,
  MediaError,
  type MediaProblem,
  type VideoDecoder,
  type VideoInfo,
} from '../../platform/media/video-decoder.port.js';
import { AnsweredBefore, type Once } from '../../platform/once.js';
import type { Permits } from '../../platform/permits.js';
import type { StagedObject } from '../../platform/storage/object-store.port.js';
import type { UploadType } from '../../contract/dataset.contract.js';
import type { ProblemCode } from '../../contract/problem.contract.js';
import type { AccountRepository } from '../account/account.repository.js';
import { insufficientCredits, priceOfFrames } from '../credit/credit.domain.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { DatasetRepository } from '../dataset/dataset.repository.js';
import type { StoredFileRepository } from '../stored-file/stored-file.repository.js';
import type { StoredFileService } from '../stored-file/stored-file.service.js';
import type { UploadRepository } from '../upload/upload.repository.js';
import type { ReservedFile } from '../stored-file/stored-file.domain.js';
import type { ArchivedVideo, VideoArchiveService } from './video-archive.service.js';
import { videoNames, type Video } from './video.domain.js';
import type { VideoRepository } from './video.repository.js';

interface Repositories {
  accounts: AccountRepository;
  credits: CreditRepository;
  datasets: DatasetRepository;
  files: StoredFileRepository;
  uploads: UploadRepository;
  videos: VideoRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  files: StoredFileService;
  archives: VideoArchiveService;
  decoder: VideoDecoder;
  /** Each probe is a process that keeps a core busy: further ones wait for their turn. */
  probes: Permits;
  framesPerCredit: number;
}

export interface NewUpload {
  userId: string;
  datasetId: string;
  name: string;
  type: UploadType;
  content: StagedObject;
  /** Runs in the transaction that books the videos: what fails there undoes them. */
  alongside?: (repositories: Repositories, videos: readonly Video[]) => Promise<void>;
}

/** A staged file that turned out to be a video. */
interface ExaminedVideo {
  info: VideoInfo;
  content: StagedObject;
}

interface PaidVideo extends ExaminedVideo {
  id: string;
  name: string;
  cost: number;
  file: ReservedFile;
}

const PROBLEM_OF_MEDIA: Record<MediaProblem, ProblemCode> = {
  'not-a-video': 'unsupported-video',
  'no-video-stream': 'unsupported-video',
  'unsupported-format': 'unsupported-video',
  corrupt: 'corrupt-video',
  'too-large': 'unsupported-video',
};

export class VideoService {
  constructor(private readonly deps: Deps) {}

  /**
   * Refuses before the body is read what would be refused after it anyway.
   * @throws AppError not-found, insufficient-credits
   */
  async checkUpload(userId: string, datasetId: string): Promise<void> {
    await this.deps.repositories.datasets.get(userId, datasetId);
    await this.requireBalance(userId, this.priceOf(1));
  }

  /**
   * What videos of so many frames would cost.
   * @throws AppError not-found for a dataset that is not the user's
   */
  async quote(userId: string, datasetId: string | undefined, frameCounts: readonly number[]) {
    if (datasetId !== undefined) await this.deps.repositories.datasets.get(userId, datasetId);
    return frameCounts.map((frames) => ({ frames, cost: this.priceOf(frames) }));
  }

  private priceOf(frames: number): number {
    return priceOfFrames(frames, this.deps.framesPerCredit);
  }

  /**
   * Makes a staged file a paid video of the dataset, or each video in a staged archive: all of them or none. Whatever
   * fails, the staged files are gone and nothing is charged.
   * @returns in the order of the archive's paths
   * @throws AppError unsupported-video, corrupt-video, insufficient-credits, not-found; for an archive also
   *   unsupported-archive, corrupt-archive, archive-refused
   */
  async add(upload: NewUpload, once: Once<Video[]>, signal: AbortSignal): Promise<Video[]> {
    await this.recall(upload.content, once);
    const examined = await this.examine(upload, signal);
    const names = videoNames(upload.name, examined.length);
    const videos: PaidVideo[] = [];
    try {
      for (const [index, { info, content }] of examined.entries()) {
        signal.throwIfAborted();
        const cost = this.priceOf(info.frameCount);
        const file = await this.deps.files.keep(content);
        videos.push({ info, content, id: randomUUID(), name: names[index], cost, file });
      }
    } catch (error) {
      await this.letGo(examined, videos);
      throw error;
    }
    return this.book(upload, videos, once);
  }

  /** A repetition is spared the examination. */
  private async recall(content: StagedObject, once: Once<Video[]>): Promise<void> {
    try {
      await once.recall();
    } catch (error) {
      await this.deps.files.discard(content);
      throw error;
    }
  }

  private async book(
    { userId, datasetId, alongside }: NewUpload,
    videos: readonly PaidVideo[],
    once: Once<Video[]>,
  ): Promise<Video[]> {
    try {
      return await this.deps.uow.run(
        async ({ repositories }) => {
          await repositories.datasets.touch(userId, datasetId);
          await repositories.credits.requireBalance(
            userId,
            videos.reduce((sum, { cost }) => sum + cost, 0),
          );
          const added: Video[] = [];
          for (const { info, content, id, name, cost, file } of videos) {
            const { storageKey } = file;
            const { bytes: sizeBytes, sha256 } = content;
            added.push(
              await repositories.videos.add({ ...info, id, datasetId, name, storageKey, sizeBytes, sha256, cost }),
            );
            await repositories.files.claim(file);
            if (cost === 0) continue;
            await repositories.credits.book({
              userId,
              kind: 'upload',
              amount: -cost,
              reference: { type: 'video', id },
              reason: `Upload of ${info.frameCount} frames`,
              actorId: userId,
            });
          }
          await alongside?.(repositories, added);
          return added;
        },
        { once },
      );
    } catch (error) {
      // It may have been committed without our hearing of it, unless it was refused: then the reservations run out by
      // themselves, and the rows decide whether the files stay.
      if (error instanceof AppError || error instanceof AnsweredBefore) await this.letGo([], videos);
      throw error;
    }
  }

  private async letGo(examined: readonly ExaminedVideo[], kept: readonly PaidVideo[]): Promise<void> {
    for (const { file } of kept) await this.deps.files.release(file);
    for (const { content } of examined) await this.deps.files.discard(content);
  }

  /** The same steps for content that somebody has uploaded before: nobody learns from us that they did. */
  private async examine(upload: NewUpload, signal: AbortSignal): Promise<ExaminedVideo[]> {
    const { content, type } = upload;
    if (type === 'zip') return this.examineArchive(upload, signal);
    try {
      return [{ info: await this.probe(content, signal), content }];
    } catch (error) {
      await this.deps.files.discard(content);
      throw error;
    }
  }

  private async examineArchive({ content, userId }: NewUpload, signal: AbortSignal): Promise<ExaminedVideo[]> {
    const examined: ExaminedVideo[] = [];
    try {
      const archive = await this.deps.archives.open(content, signal);
      try {
        await this.requireBalance(userId, this.leastPrice(archive.videos));
        for (const video of archive.videos) {
          const unpacked = await archive.unpack(video, signal);
          examined.push({ info: await this.probeUnpacked(video, unpacked, signal), content: unpacked });
        }
      } finally {
        archive.close();
      }
      return examined;
    } catch (error) {
      await this.letGo(examined, []);
      throw error;
    } finally {
      await this.deps.files.discard(content);
    }
  }

  /** What an archive costs at least: of a video nobody knows yet how many frames it has. */
  private leastPrice(videos: readonly ArchivedVideo[]): number {
    const frames = videos.map((video) => (video.kind === 'sequence' ? video.frames.length : 1));
    return frames.reduce((sum, count) => sum + this.priceOf(count), 0);
  }

  private async probeUnpacked(video: ArchivedVideo, content: StagedObject, signal: AbortSignal): Promise<VideoInfo> {
    const what = video.kind === 'video' ? `"${video.path}"` : `The pictures in "${video.path || '/'}"`;
    try {
      const info = await this.probe(content, signal);
      if (video.kind === 'video' || info.frameCount === video.frames.length) return info;
      throw new AppError('corrupt-video', `Only ${info.frameCount} of ${video.frames.length} can be decoded.`);
    } catch (error) {
      await this.deps.files.discard(content);
      const isOfTheFile = error instanceof AppError && error.code !== 'service-unavailable';
      throw isOfTheFile ? new AppError(error.code, `${what}: ${error.message}`, { cause: error }) : error;
    }
  }

  private async requireBalance(userId: string, amount: number): Promise<void> {
    const balance = (await this.deps.repositories.accounts.find(userId))?.credit ?? 0;
    if (balance < amount) throw insufficientCredits(amount, balance);
  }

  private async probe(content: StagedObject, signal: AbortSignal) {
    if (content.bytes === 0) throw new AppError('unsupported-video', 'The file is empty.');
    const release = await this.deps.probes.acquire(signal);
    try {
      return await this.deps.decoder.probe(content.path, { signal });
    } catch (error) {
      if (error instanceof MediaError) {
        throw new AppError(PROBLEM_OF_MEDIA[error.problem], error.message, { cause: error });
      }
      if (error instanceof DecoderFailedError) {
        throw new AppError('service-unavailable', 'The video could not be examined; please try again.', {
          cause: error,
        });
      }
      throw error;
    } finally {
      release();
    }
  }
}
