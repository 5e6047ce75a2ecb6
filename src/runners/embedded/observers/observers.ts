import type { Detector } from '../../detector.js';
import type { Intrinsics } from '../../runner.port.js';
import type { GrayImage } from '../vision/features.js';
import type { Goal } from '../vision/goal.js';
import type { Observation } from '../vision/observation.js';

/** Finds goals again in frames, several frames at a time. */
export interface Observers {
  /** @throws RunnerInputError when the frame is blank, has fewer than 4 keypoints or needs more memory than there is */
  findGoal(detector: Detector, frame: GrayImage): Promise<Goal>;
  /** Gets ready to find one goal in many frames. Ends what was aimed at before. */
  aim(options: AimOptions, goal: Goal): Promise<Aim>;
}

export interface AimOptions {
  /** That has found the goal. */
  detector: Detector;
  intrinsics: Intrinsics;
}

/** Observers that look for one goal. */
export interface Aim {
  /** Frames that are worth giving before the result of the first of them is there. */
  readonly lookAhead: number;
  /**
   * Takes the frame over: its pixels are with the observer until they come back beside the result.
   * @throws RunnerInputError when the frame needs more memory than there is; RunnerCrashedError when the observer died
   */
  observe(frame: GrayImage): Promise<ObservedFrame>;
  /** Gives up what is still being observed. */
  release(): void;
}

export interface ObservedFrame {
  observation: Observation;
  /** The pixels of the frame, unchanged. */
  gray: Uint8Array;
}
