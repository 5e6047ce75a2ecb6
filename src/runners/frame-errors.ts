import type { FrameProblem } from './runner.port.js';

/** A frame without a velocity, and why. */
export interface FrameError {
  /** Index of the frame in the current video. */
  frame: number;
  code: string;
  /** The code in plain words. */
  message: string;
}

const MESSAGES: Readonly<Record<FrameProblem, string>> = {
  'blank-frame': 'The frame shows nothing but one shade.',
  'too-few-keypoints': 'The frame shows too little texture to find keypoints on.',
  'too-few-matches': 'Too little of the goal frame was found again.',
  'too-few-inliers': 'What was found of the goal frame does not fit together.',
  'degenerate-geometry': 'What was found of the goal frame lies so that no motion follows from it.',
  'unreadable-frame': 'The frame could not be read from the video.',
};

/**
 * The frames without a velocity, in the order of their reports.
 *
 * @param frames reports of a run, or of a result that a newer or older version stored
 */
export function frameErrors(frames: readonly { frame: number; problem: string | null }[]): FrameError[] {
  const messages: Readonly<Record<string, string | undefined>> = MESSAGES;
  return frames.flatMap(({ frame, problem: code }) =>
    code === null ? [] : [{ frame, code, message: messages[code] ?? 'The frame gave no velocity.' }],
  );
}
