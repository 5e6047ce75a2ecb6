import { findUnstorable, toStorableText } from '../../platform/database/storable-json.js';
import type { ObjectStore, ScratchFile } from '../../platform/storage/object-store.port.js';
import { ObjectMissingError } from '../../platform/storage/object-store.port.js';
import { RunnerCheckpointError, RunnerProtocolError } from '../../runners/runner.errors.js';
import type { RunResult, RunResume } from '../../runners/runner.port.js';
import type { VideoRepository } from '../video/video.repository.js';
import type { OpenAttempt } from './attempt-opening.service.js';
import type { CheckpointLog } from './checkpoint-log.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import type { ClaimKeeper } from './claim-keeper.js';
import { JobFiles } from './job-files.js';
import type { PartialRowsLog } from './partial-rows-log.js';
import type { UsageLog } from './usage-log.js';

interface Deps {
  repositories: { checkpoints: CheckpointRepository; videos: VideoRepository };
  store: ObjectStore;
}

/** What listens to a run. */
export interface RunLogs {
  keeper: ClaimKeeper;
  partialRows: PartialRowsLog;
  checkpoints: CheckpointLog | null;
  usage: UsageLog;
}

/**
 * Puts the files of the job on this machine, as long as the run of the attempt goes on.
 * @throws RunnerError, ObjectMissingError, or what the database failed with
 */
export async function runAttempt(
  { claim: { job }, start, place }: OpenAttempt,
  scratch: ScratchFile,
  { keeper, partialRows, checkpoints, usage }: RunLogs,
  { repositories, store }: Deps,
): Promise<RunResult> {
  const [goal, current] = await Promise.all([
    repositories.videos.get(job.goalVideoId),
    repositories.videos.get(job.currentVideoId),
  ]);
  const files = new JobFiles(store, keeper.signal);
  try {
    const result = await place.runner.run(
      {
        jobId: job.id,
        attempt: job.attempt,
        goalVideoPath: await files.path(goal.storageKey),
        currentVideoPath: await files.path(current.storageKey),
        frameRate: current.frameRate,
        parameters: job.parameters,
        model: { name: job.model.name, version: job.model.version, parameters: job.model.parameters },
        archivePath: scratch.path,
        resume: start.resumedRows === 0 ? undefined : await findResume(repositories.checkpoints, job.id, files),
      },
      {
        signal: keeper.signal,
        onProgress: (progress) => keeper.report(progress),
        onRows: (rows) => partialRows.add(rows),
        onUsage: (consumed) => usage.add(consumed),
        ...(checkpoints === null ? {} : { onCheckpoint: (checkpoint) => checkpoints.add(checkpoint) }),
      },
    );
    requireStorable(result);
    return result;
  } finally {
    await files.release();
  }
}

/** @throws RunnerCheckpointError when a part of it is missing */
async function findResume(checkpoints: CheckpointRepository, jobId: string, files: JobFiles): Promise<RunResume> {
  const progression = await checkpoints.ofJob(jobId);
  if (progression === null) throw new RunnerCheckpointError('The checkpoint of the job is gone.');
  const { picturesKeys, ...resume } = progression;
  const picturesPaths: string[] = [];
  try {
    for (const key of picturesKeys) picturesPaths.push(await files.path(key));
  } catch (error) {
    if (!(error instanceof ObjectMissingError)) throw error;
    throw new RunnerCheckpointError('Pictures of the attempts before are gone.', { cause: error });
  }
  return { ...resume, picturesPaths };
}

/** Else the write of the result would fail, as if it were by our fault. @throws RunnerProtocolError */
function requireStorable(result: RunResult): void {
  const path = findUnstorable(result);
  if (path === null) return;
  throw new RunnerProtocolError(
    'wrong-shape',
    `The runner says something in its result that cannot be kept: ${toStorableText(path.join('.')).slice(0, 200)}.`,
  );
}
