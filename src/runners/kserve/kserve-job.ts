import {
  MediaError,
  type DecodingSession,
  type VideoDecoder,
  type VideoFrame,
} from '../../platform/media/video-decoder.port.js';
import { Checkpointer, type CheckpointReceiver } from '../result/checkpointer.js';
import { FrameLog } from '../result/frame-log.js';
import { openResultArchive, type ResultArchive } from '../result/result-archive.js';
import { asRunnerError, frameRateWarnings, onlyGoalFrame, requireVideos } from '../result/run-videos.js';
import { writeReports } from '../result/write-reports.js';
import { RunnerInputError } from '../runner.errors.js';
import type { FrameReport, RunContext, RunInput, RunResult } from '../runner.port.js';
import { inBatches } from './frame-batches.js';
import type { KserveSettings } from './kserve.settings.js';
import { ReportedUsage } from './reported-usage.js';
import type { GoalPicture } from './servo-request.js';
import type { SequenceAnswer, ServoSequence } from './servo-sequence.js';

export interface KserveJobDeps {
  decoder: VideoDecoder;
  settings: Pick<KserveSettings, 'batchFrames' | 'batchBytes' | 'device'>;
  /** Makes sure that the model is there and fits. @throws RunnerError */
  openSequence(goal: GoalPicture): Promise<ServoSequence>;
  /** Left out where the rows of this job depend on those before, or nobody keeps them. */
  checkpoints?: CheckpointReceiver | undefined;
}

/**
 * One job on a server that works on tensors: decodes the videos here, sends the frames in batches, and writes what comes
 * back into an archive. Frames that cannot be read are not sent; they get the zero velocity, as everywhere.
 *
 * @throws RunnerError. No archive is left then.
 */
export async function runKserveJob(input: RunInput, deps: KserveJobDeps, context: RunContext): Promise<RunResult> {
  const videos = deps.decoder.openSession();
  try {
    context.signal.throwIfAborted();
    await requireVideos(input);
    const archive = await openResultArchive(input.archivePath);
    try {
      return await runIntoArchive(input, { ...deps, archive, videos }, context);
    } finally {
      await archive.discard();
    }
  } catch (error) {
    throw asRunnerError(error, context.signal);
  } finally {
    await videos.close();
  }
}

interface OpenJob extends KserveJobDeps {
  archive: ResultArchive;
  videos: DecodingSession;
}

async function runIntoArchive(input: RunInput, job: OpenJob, context: RunContext): Promise<RunResult> {
  const { parameters, resume } = input;
  const { signal } = context;
  const usage = new ReportedUsage();
  const goal = await readGoalPicture(input, job.videos, signal);
  const sequence = await job.openSequence(goal);
  const log = new FrameLog(parameters, () => undefined, resume);
  const checkpointer = createCheckpointer(input, log, job.checkpoints);
  const goalKeypoints = await processFrames(input, { ...job, sequence, log, usage, checkpointer }, context);
  const result: RunResult = {
    velocity: log.velocity,
    frames: log.frames,
    goal: { frame: parameters.goalFrameId, keypoints: goalKeypoints },
    device: usage.device ?? job.settings.device,
    model: usage.model(input.model.name),
    usage: usage.read(),
    message: log.summary('a model server'),
    warnings: [...requestWarnings(input, usage), ...log.warnings],
  };
  signal.throwIfAborted();
  await writeReports(job.archive, input, result);
  signal.throwIfAborted();
  await job.archive.finish();
  return result;
}

async function readGoalPicture(
  { goalVideoPath, parameters: { goalFrameId } }: RunInput,
  videos: DecodingSession,
  signal: AbortSignal,
): Promise<GoalPicture> {
  const range = { start: goalFrameId, end: goalFrameId, step: 1 };
  return onlyGoalFrame(videos.frames(goalVideoPath, range, { signal }), goalFrameId);
}

function createCheckpointer(
  { archivePath }: RunInput,
  log: FrameLog,
  receiver: CheckpointReceiver | undefined,
): Checkpointer | null {
  if (receiver === undefined) return null;
  // Rows do not depend on those before: there is nothing to remember.
  const saveState = () => new Uint8Array();
  return new Checkpointer({ archivePath, log, saveState, receiver });
}

interface FrameLoop extends OpenJob {
  sequence: ServoSequence;
  log: FrameLog;
  usage: ReportedUsage;
  checkpointer: Checkpointer | null;
}

/** @returns the number of keypoints of the goal, as far as the server says it */
async function processFrames(
  { currentVideoPath, parameters }: RunInput,
  { sequence, log, usage, checkpointer, videos, settings }: FrameLoop,
  { signal, onProgress, onRows, onUsage }: RunContext,
): Promise<number | null> {
  let goalKeypoints: number | null = null;
  const report = (before: number) => {
    if (log.processed > before) onRows?.(log.velocity.slice(before));
    onProgress({ processed: log.processed, total: log.total });
  };
  report(log.processed);
  if (log.isComplete) return null;
  const range = { start: log.nextFrame, end: parameters.endFrame, step: parameters.frameStep };
  const frames = untilDamage(videos.frames(currentVideoPath, range, { signal }), log);
  const batches = inBatches(frames, (batchIndex) => ({
    // The first are small: users see rows, and a cancellation finds an answer, before a slow model is through many frames.
    frames: Math.min(2 ** batchIndex, settings.batchFrames, sequence.frameLimit),
    bytes: sequence.bytesBesideGoal(settings.batchBytes),
  }));
  for await (const placed of batches) {
    for await (const answer of sequence.send(placed)) {
      signal.throwIfAborted();
      const before = log.processed;
      addRows(log, answer);
      usage.add(answer.parameters);
      onUsage?.(usage.read());
      goalKeypoints = answer.goalKeypoints ?? goalKeypoints;
      await checkpointer?.afterRow();
      report(before);
    }
  }
  const before = log.processed;
  log.addUnreadableBefore(Infinity);
  if (!log.hasSeenAnything) throw new RunnerInputError('None of the frames could be read from the current video.');
  if (log.processed > before) report(before);
  return goalKeypoints;
}

function addRows(log: FrameLog, { velocity, frames }: SequenceAnswer): void {
  frames.forEach((report: FrameReport, place) => {
    log.addUnreadableBefore(report.frame);
    log.add(velocity[place], report);
  });
}

/** The rest of a damaged video counts as unreadable; of one that gives no frame at all the damage is told. */
async function* untilDamage(frames: AsyncIterable<VideoFrame>, log: FrameLog): AsyncGenerator<VideoFrame> {
  let hasSeenAny = log.hasSeenAnything;
  try {
    for await (const frame of frames) {
      hasSeenAny = true;
      yield frame;
    }
  } catch (error) {
    if (!(error instanceof MediaError) || error.problem !== 'corrupt' || !hasSeenAny) throw error;
    log.warnings.push(`The current video could not be read to the end: ${error.message}`);
  }
}

function requestWarnings({ parameters: { useGpus, visualize }, frameRate }: RunInput, usage: ReportedUsage): string[] {
  const device =
    usage.device === null
      ? 'The model server does not say whether it used a GPU.'
      : 'The model server used no GPU: the job ran on the CPU.';
  return [
    ...(useGpus && usage.device !== 'gpu' ? [device] : []),
    ...(visualize === 'none'
      ? []
      : ['There are no pictures: the model server does not say which points it found again.']),
    ...frameRateWarnings(frameRate),
  ];
}
