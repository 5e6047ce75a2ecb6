import { randomUUID } from 'node:crypto';
import { AppError } from '../../platform/app-error.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import {
  DecoderFailedError,
  MediaError,
  type MediaProblem,
  type VideoDecoder,
} from '../../platform/media/video-decoder.port.js';
import type { Permits } from '../../platform/permits.js';
import type { StagedObject } from '../../platform/storage/object-store.port.js';
import type { ProblemCode } from '../../contract/problem.contract.js';
import type { AccountRepository } from '../account/account.repository.js';
import { insufficientCredits, priceOfFrames } from '../credit/credit.domain.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { DatasetRepository } from '../dataset/dataset.repository.js';
import type { StoredFileRepository } from '../stored-file/stored-file.repository.js';
import type { StoredFileService } from '../stored-file/stored-file.service.js';
import type { Video } from './video.domain.js';
import type { VideoRepository } from './video.repository.js';

interface Repositories {
  accounts: AccountRepository;
  credits: CreditRepository;
  datasets: DatasetRepository;
  files: StoredFileRepository;
  videos: VideoRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  files: StoredFileService;
  decoder: VideoDecoder;
  /** Each probe is a process that keeps a core busy: further ones wait for their turn. */
  probes: Permits;
  framesPerCredit: number;
}

export interface NewUpload {
  userId: string;
  datasetId: string;
  name: string;
  content: StagedObject;
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
    if (this.deps.framesPerCredit === 0) return;
    const user = await this.deps.repositories.accounts.find(userId);
    if ((user?.credit ?? 0) < 1) throw insufficientCredits(1, user?.credit ?? 0);
  }

  /**
   * Makes a staged file a paid video of the dataset. Whatever fails, the staged file is gone and nothing is charged.
   * @throws AppError unsupported-video, corrupt-video, insufficient-credits, not-found
   */
  async add(upload: NewUpload, signal: AbortSignal): Promise<Video> {
    const { userId, datasetId, name, content } = upload;
    const { info, file } = await this.takeIn(content, signal);
    const id = randomUUID();
    const cost = priceOfFrames(info.frameCount, this.deps.framesPerCredit);
    try {
      return await this.deps.uow.run(async ({ repositories }) => {
        await repositories.datasets.hold(userId, datasetId);
        const video = await repositories.videos.add({
          ...info,
          id,
          datasetId,
          name,
          storageKey: file.storageKey,
          sizeBytes: content.bytes,
          sha256: content.sha256,
          cost,
        });
        await repositories.files.claim(file);
        if (cost > 0) {
          await repositories.credits.book({
            userId,
            kind: 'upload',
            amount: -cost,
            reference: { type: 'video', id },
            reason: `Upload of ${info.frameCount} frames`,
            actorId: userId,
          });
        }
        return video;
      });
    } catch (error) {
      // It may have been committed without our hearing of it, unless it was refused: then the reservation runs out by
      // itself, and the row decides whether the file stays.
      if (error instanceof AppError) await this.deps.files.release(file);
      throw error;
    }
  }

  /** The same steps for content that somebody has uploaded before: nobody learns from us that they did. */
  private async takeIn(content: StagedObject, signal: AbortSignal) {
    try {
      const info = await this.probe(content, signal);
      signal.throwIfAborted();
      return { info, file: await this.deps.files.keep(content) };
    } catch (error) {
      await this.deps.files.discard(content);
      throw error;
    }
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
