import { AppError, notFound } from '../../platform/app-error.js';
import type { Logger } from '../../platform/logging/logger.js';
import { ObjectMissingError, type ObjectStore } from '../../platform/storage/object-store.port.js';
import { ASSUMED_FRAME_RATE, cameraPath } from '../../runners/trajectory.js';
import type { GoneResult, StoredResult } from '../result/result.domain.js';
import type { ResultRepository } from '../result/result.repository.js';
import type { VideoRepository } from '../video/video.repository.js';
import { isFinal, processedFrames } from './inference.domain.js';
import type { InferenceRepository } from './inference.repository.js';
import type { Trajectory, VelocityRows } from './job-view.domain.js';
import type { JobViewQueries } from './job-view.queries.js';

interface Deps {
  repositories: {
    jobs: InferenceRepository;
    jobViews: JobViewQueries;
    results: ResultRepository;
    videos: VideoRepository;
  };
  store: ObjectStore;
  logger: Logger;
}

/** Results, by the jobs that they are of. */
export class InferenceResultService {
  constructor(private readonly deps: Deps) {}

  /** @throws AppError not-found, result-not-ready, job-without-result, result-gone */
  async get(userId: string, id: string): Promise<StoredResult> {
    const job = await this.deps.repositories.jobs.getOwned(userId, id);
    if (!isFinal(job.status)) {
      throw new AppError('result-not-ready', `The job is ${job.status}; its result comes with COMPLETED.`);
    }
    const result = await this.deps.repositories.results.ofJob(id);
    if (result === null) {
      throw new AppError(
        'job-without-result',
        `The job is ${job.status}: ${job.errorMessage ?? 'there is no result.'}`,
      );
    }
    if (result.gone !== null) throw resultGone(result);
    return result;
  }

  /**
   * Rows of the result, of the attempt that goes on, or those that are kept of a job that ended without a result.
   * @throws AppError not-found, job-without-result, result-gone
   */
  async velocity(userId: string, id: string, page: { from: number; limit: number }): Promise<VelocityRows> {
    const found = await this.deps.repositories.jobViews.velocityOfOwned(userId, id, page);
    if (found === null) throw notFound('job');
    const { job, partial, keptRows, resumedRows, stored } = found;
    if (stored !== null) {
      const { total, velocity } = stored;
      return { job, complete: true, resumedRows, total, velocity, end: total };
    }
    const rows = { job, complete: false, resumedRows, total: processedFrames(job.parameters), velocity: partial };
    if (!isFinal(job.status)) return { ...rows, end: null };
    if (keptRows > 0) return { ...rows, end: keptRows };
    // Says which of the reasons there are it is.
    await this.get(userId, id);
    throw new Error(`The result of job ${id} is there and has no velocities`);
  }

  /**
   * @param frameRate frames per second, instead of those of the video
   * @throws AppError not-found, result-not-ready, job-without-result, result-gone
   */
  async trajectory(userId: string, id: string, { frameRate }: { frameRate?: number | undefined }): Promise<Trajectory> {
    const { payload } = await this.get(userId, id);
    const { jobs, videos } = this.deps.repositories;
    const job = await jobs.getOwned(userId, id);
    const ofVideo = await videos.frameRateOf(job.currentVideoId);
    const taken = frameRate ?? ofVideo ?? ASSUMED_FRAME_RATE;
    const rows = payload.frames.map(({ frame }, row) => ({ frame, velocity: payload.velocity[row] }));
    const known = ofVideo === null ? 'assumption' : 'video';
    const frameRateFrom = frameRate === undefined ? known : 'request';
    return { path: [...cameraPath(rows, taken)], frameRate: taken, frameRateFrom };
  }

  /** @throws AppError not-found, result-not-ready, job-without-result, result-gone */
  async archive(userId: string, id: string) {
    const { archive } = await this.get(userId, id);
    try {
      return { ...(await this.deps.store.read(archive.key)), sha256: archive.sha256 };
    } catch (error) {
      if (!(error instanceof ObjectMissingError)) throw error;
      // The result may have been removed since its row was read.
      await this.get(userId, id);
      throw new AppError('internal-error', 'The archive of this result is missing from the storage.', { cause: error });
    }
  }

  /** @throws AppError not-found, result-not-ready, job-without-result, result-gone */
  async delete(userId: string, id: string): Promise<void> {
    await this.get(userId, id);
    // The row first: what a crash leaves of the file, the sweeper takes away.
    const key = await this.deps.repositories.results.delete(id);
    if (key === null) {
      await this.get(userId, id);
      throw new Error(`The result of job ${id} is there and cannot be removed`);
    }
    try {
      await this.deps.store.delete(key);
    } catch (error) {
      this.deps.logger.warn('The archive of a deleted result stays behind for the sweeper', { key, error });
    }
  }
}

function resultGone({ gone: { because, at } }: GoneResult): AppError {
  const detail = because === 'deleted' ? 'The result was deleted by its owner' : 'The result has expired';
  return new AppError('result-gone', `${detail} (${at.toISOString()}).`);
}
