import type { Detector } from '../../detector.js';
import type { RunnerErrorCode } from '../error-codec.js';
import type { GrayImage } from '../vision/features.js';
import type { Goal } from '../vision/goal.js';
import type { AimOptions, ObservedFrame } from './observers.js';

/**
 * What an engine's main thread and its observer threads say to each other. Both are the same program, so messages are
 * taken for what they say they are.
 */
export interface ObserverAnswers {
  'find-goal': Goal;
  aim: null;
  observe: ObservedFrame;
}

export type ObserverTask =
  | { type: 'find-goal'; detector: Detector; frame: GrayImage }
  | { type: 'aim'; options: AimOptions; goal: Goal }
  /** For the goal that was aimed at last. */
  | { type: 'observe'; frame: GrayImage };

export interface ObserverRequest {
  id: number;
  task: ObserverTask;
}

export type ObserverAnswer =
  | { id: number; value: ObserverAnswers[ObserverTask['type']] }
  /** `code` is null for what is no error of a runner, but of the program. */
  | { id: number; failure: { code: RunnerErrorCode | null; message: string; stack: string | undefined } };
