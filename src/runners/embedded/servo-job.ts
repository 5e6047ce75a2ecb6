import { setImmediate as nextMacrotask } from 'node:timers/promises';

import {
  MediaError,
  type DecodingSession,
  type VideoDecoder,
  type VideoFrame,
} from '../../platform/media/video-decoder.port.js';
import { RunnerCheckpointError, RunnerInputError } from '../runner.errors.js';
import type { FrameReport, RunInput, RunProgress, RunResult, RunResume, RunUsage } from '../runner.port.js';
import { copyEarlierPictures } from './archive/earlier-pictures.js';
import { openResultArchive, type ResultArchive } from '../result/result-archive.js';
import { Checkpointer, type CheckpointReceiver } from '../result/checkpointer.js';
import { FrameLog } from '../result/frame-log.js';
import { asRunnerError, frameRateWarnings, onlyGoalFrame, requireVideos } from '../result/run-videos.js';
import { writeReports } from '../result/write-reports.js';
import { mapInOrder } from './observers/map-in-order.js';
import { StateMismatchError } from './policy/servo-policy.js';
import { PictureQuota } from './report/picture-quota.js';
import { createPictureWriter, type PictureWriter } from './report/picture-writer.js';
import { startUsageMeter } from './usage/usage-meter.js';
import { UsageTeller } from './usage/usage-teller.js';
import type { createServoPipeline, ServoPipeline, ServoPipelineContext, StepResult } from './pipeline.js';

/** How often a wait for the decoder is reported as life; the decoder has its own deadline for hanging. */
const ALIVE_EVERY_MS = 1000;

export interface ServoJobDeps extends Pick<ServoPipelineContext, 'observers' | 'goals'> {
  decoder: VideoDecoder;
  createPipeline: typeof createServoPipeline;
  /** For the policies that have learned something. */
  loadWeights?: ServoPipelineContext['loadWeights'];
  /** From here on a job gets a sample of pictures instead of all. */
  picturesMaxBytes: number;
}

export interface ServoJobContext {
  signal: AbortSignal;
  onProgress(progress: RunProgress): void;
  /** The next row of the result. */
  onRow(velocity: number[]): void;
  /** The job waits for something that watches itself. */
  onAlive(): void;
  /** Consumed by the job so far; told now and then, and at the end of a job without a result. */
  onUsage?(usage: RunUsage): void;
  /** Left out where nobody keeps them. */
  checkpoints?: CheckpointReceiver;
}

/**
 * One inference job: compares every processed frame of the current video with the goal frame and writes velocities,
 * pictures and a plot into the archive. A frame that cannot be read or matched gets the zero velocity and a reason.
 *
 * @throws RunnerInputError for an unusable goal frame or a policy this engine lacks; RunnerStorageError;
 *   RunnerCrashedError when the decoder failed; RunnerCancelledError once the signal fired. No archive is left then.
 */
export async function runServoJob(input: RunInput, deps: ServoJobDeps, context: ServoJobContext): Promise<RunResult> {
  try {
    await requireVideos(input);
    const archive = await openResultArchive(input.archivePath);
    try {
      return await runIntoArchive(input, archive, deps, context);
    } finally {
      await archive.discard();
    }
  } catch (error) {
    throw asRunnerError(error, context.signal);
  }
}

async function runIntoArchive(
  input: RunInput,
  archive: ResultArchive,
  deps: ServoJobDeps,
  listeners: ServoJobContext,
): Promise<RunResult> {
  const { parameters, resume } = input;
  const meter = startUsageMeter();
  const usage = new UsageTeller(meter, listeners.onUsage);
  const context = tellingUsage(listeners, usage);
  const videos = deps.decoder.openSession();
  let pipeline: ServoPipeline | null = null;
  let pictures: PictureWriter | null = null;
  let checkpointer: Checkpointer | null = null;
  try {
    const goalFrame = await readGoalFrame(input, videos, context);
    pipeline = await tellingAliveWhile(
      deps.createPipeline(parameters, goalFrame, {
        observers: deps.observers,
        goals: deps.goals,
        loadWeights: deps.loadWeights,
        breathe: () => breathe(context.signal),
      }),
      context.onAlive,
    );
    restoreState(pipeline, resume);
    const log = new FrameLog(parameters, (row) => context.onRow(row), resume);
    checkpointer = createCheckpointer(input, { log, pipeline }, context);
    const { visualize } = parameters;
    const quota = new PictureQuota(archive, { visualize, total: log.total, maxBytes: deps.picturesMaxBytes });
    if (visualize !== 'none') {
      await copyEarlierPictures(resume?.picturesPaths ?? [], quota, () => {
        context.signal.throwIfAborted();
        context.onAlive();
      });
      const sink = checkpointer?.alsoInto(quota) ?? quota;
      pictures = await createPictureWriter({ sink, goal: goalFrame, detector: parameters.detector });
    }
    await processFrames(input, { log, pipeline, pictures, quota, checkpointer, videos }, context);
    // Before the meter is read: a process counts once it has ended.
    await videos.close();
    const result: RunResult = {
      velocity: log.velocity,
      frames: log.frames,
      goal: { frame: parameters.goalFrameId, keypoints: pipeline.goalKeypoints },
      device: 'cpu',
      model: pipeline.policy.model,
      usage: meter.read(),
      message: log.summary('CPU'),
      warnings: [
        ...requestWarnings(input),
        ...pipeline.policy.warnings,
        ...log.warnings,
        ...quota.warnings(log.frames),
      ],
    };
    context.signal.throwIfAborted();
    await writeReports(archive, input, result);
    context.signal.throwIfAborted();
    await archive.finish();
    return result;
  } catch (error) {
    await videos.close();
    usage.tellNow();
    throw error;
  } finally {
    await checkpointer?.discard();
    pictures?.dispose();
    pipeline?.dispose();
    await videos.close();
  }
}

/** Whatever shows life is an occasion to look at the meter. */
function tellingUsage(context: ServoJobContext, usage: UsageTeller): ServoJobContext {
  return {
    ...context,
    onProgress: (progress) => {
      context.onProgress(progress);
      usage.tell();
    },
    onAlive: () => {
      context.onAlive();
      usage.tell();
    },
  };
}

function restoreState(pipeline: ServoPipeline, resume: RunResume | undefined): void {
  if (resume === undefined) return;
  try {
    pipeline.policy.restoreState(resume.state);
  } catch (error) {
    if (!(error instanceof StateMismatchError)) throw error;
    throw new RunnerCheckpointError('The job cannot go on from what is kept of it.', { cause: error });
  }
}

function createCheckpointer(
  { archivePath }: RunInput,
  { log, pipeline }: { log: FrameLog; pipeline: ServoPipeline },
  { checkpoints }: ServoJobContext,
): Checkpointer | null {
  if (checkpoints === undefined) return null;
  return new Checkpointer({
    archivePath,
    log,
    saveState: () => pipeline.policy.saveState(),
    receiver: checkpoints,
  });
}

function requestWarnings({ parameters: { useGpus }, frameRate }: RunInput): string[] {
  return [
    ...(useGpus ? ['The embedded engine uses no GPU: the job ran on the CPU.'] : []),
    ...frameRateWarnings(frameRate),
  ];
}

async function readGoalFrame(
  { goalVideoPath, parameters: { goalFrameId } }: RunInput,
  videos: DecodingSession,
  { signal, onAlive }: ServoJobContext,
): Promise<VideoFrame> {
  const range = { start: goalFrameId, end: goalFrameId, step: 1 };
  const frames = videos.frames(goalVideoPath, range, { signal });
  return onlyGoalFrame(tellingAlive(frames, onAlive), goalFrameId);
}

interface FrameLoop {
  log: FrameLog;
  pipeline: ServoPipeline;
  pictures: PictureWriter | null;
  quota: PictureQuota;
  checkpointer: Checkpointer | null;
  videos: DecodingSession;
}

async function processFrames(
  { currentVideoPath, parameters }: RunInput,
  { log, pipeline, pictures, quota, checkpointer, videos }: FrameLoop,
  { signal, onProgress, onAlive }: ServoJobContext,
): Promise<void> {
  const { endFrame, frameStep } = parameters;
  onProgress({ processed: log.processed, total: log.total });
  // Finished already: what remained was the archive.
  if (log.isComplete) return;
  const range = { start: log.nextFrame, end: endFrame, step: frameStep };
  try {
    const frames = videos.frames(currentVideoPath, range, { signal });
    const observed = mapInOrder(tellingAlive(frames, onAlive), (frame) => observe(pipeline, frame), {
      limit: pipeline.lookAhead,
      signal,
    });
    for await (const { result } of observed) {
      const { frame, observation } = result;
      log.addUnreadableBefore(frame.index);
      const step = pipeline.decide(observation);
      const position = log.add(step.velocity, reportOf(frame.index, step));
      if (pictures !== null && quota.wants(position)) await pictures.write(frame, step);
      await checkpointer?.afterRow();
      onProgress({ processed: log.processed, total: log.total });
      await breathe(signal);
    }
  } catch (error) {
    // The rest of a damaged video counts as unreadable; whatever else went wrong is not the frame's doing.
    if (!(error instanceof MediaError) || error.problem !== 'corrupt') throw error;
    if (!log.hasSeenAnything) throw error;
    log.warnings.push(`The current video could not be read to the end: ${error.message}`);
  }
  log.addUnreadableBefore(Infinity);
  if (!log.hasSeenAnything) throw new RunnerInputError('None of the frames could be read from the current video.');
  onProgress({ processed: log.processed, total: log.total });
}

function reportOf(frame: number, { observation, inliers, featureErrorPx, problem }: StepResult): FrameReport {
  const { keypoints, matches } = observation;
  return { frame, keypoints, matches: matches.count, inliers, featureErrorPx, problem };
}

async function observe(pipeline: ServoPipeline, frame: VideoFrame) {
  const { observation, gray } = await pipeline.observe(frame);
  return { frame: { ...frame, gray }, observation };
}

/** Lets the process read its messages: a cancellation is seen between any two frames, and within long preparations. */
async function breathe(signal: AbortSignal): Promise<void> {
  await nextMacrotask();
  signal.throwIfAborted();
}

async function tellingAliveWhile<T>(work: Promise<T>, onAlive: () => void): Promise<T> {
  const timer = setInterval(onAlive, ALIVE_EVERY_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** Passes frames on and reports life while the next one is awaited. */
async function* tellingAlive(frames: AsyncIterable<VideoFrame>, onAlive: () => void): AsyncGenerator<VideoFrame> {
  const iterator = frames[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await tellingAliveWhile(iterator.next(), onAlive);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
