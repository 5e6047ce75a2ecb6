import type { GrayImage } from './features.js';
import type { Goal } from './goal.js';

/** The goal and a frame in which it is looked for, beyond the matches of their keypoints. */
export interface TwoFrames {
  goal: Pick<Goal, 'keypoints' | 'patches'>;
  frame: GrayImage;
  /** All keypoints of the frame, matched or not: x0, y0, x1, y1, … in pixels. */
  framePoints: Float64Array;
}
