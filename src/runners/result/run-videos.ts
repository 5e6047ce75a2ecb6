import { access } from 'node:fs/promises';

import { DecoderFailedError, MediaError, type VideoFrame } from '../../platform/media/video-decoder.port.js';
import { RunnerCancelledError, RunnerCrashedError, RunnerInputError, RunnerStorageError } from '../runner.errors.js';
import type { RunInput } from '../runner.port.js';
import { ASSUMED_FRAME_RATE } from '../trajectory.js';

/** What runners that decode the videos themselves say about them, in the same words. */

/** @throws RunnerStorageError when a video of the job cannot be opened */
export async function requireVideos(input: Pick<RunInput, 'goalVideoPath' | 'currentVideoPath'>): Promise<void> {
  await requireReadable(input.goalVideoPath, 'goal');
  await requireReadable(input.currentVideoPath, 'current');
}

async function requireReadable(path: string, role: 'goal' | 'current'): Promise<void> {
  try {
    await access(path);
  } catch (error) {
    throw new RunnerStorageError(`The ${role} video cannot be opened.`, { cause: error });
  }
}

/**
 * @param frames what the decoder gives for that one frame
 * @throws RunnerInputError when it gives none
 */
export async function onlyGoalFrame(frames: AsyncIterable<VideoFrame>, goalFrameId: number): Promise<VideoFrame> {
  for await (const frame of frames) return frame;
  throw new RunnerInputError(`The goal video is damaged: its frame ${goalFrameId} cannot be decoded.`);
}

export function frameRateWarnings(frameRate: RunInput['frameRate']): string[] {
  const isUnknown = frameRate === null || frameRate === undefined;
  return isUnknown ? [`The video does not say its frame rate: trajectory.csv takes ${ASSUMED_FRAME_RATE}/s.`] : [];
}

/** What a failure of the decoder means for the job; whatever fails after the signal fired is its cancellation. */
export function asRunnerError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return new RunnerCancelledError('The job was stopped.', { cause: error });
  if (error instanceof MediaError) {
    return new RunnerInputError(`A video could not be read: ${error.message}`, {
      cause: error,
    });
  }
  if (error instanceof DecoderFailedError) {
    return new RunnerCrashedError('The video decoder failed.', { cause: error });
  }
  return error;
}
