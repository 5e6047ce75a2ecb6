/**
 * What finds keypoints, as a user writes it: names joined by `+`, the keypoints of all of them together. A name may be
 * followed by `:` and the quarter turns of the goal frame that are matched too; without them the goal is matched as it
 * is. `AKAZE:02+ORB:13` looks for AKAZE keypoints of the goal as it is and upside down, and for ORB keypoints of the goal
 * turned to either side. The contract states the same grammar for users.
 */
export type Detector = string;

export const DETECTOR_NAMES = ['SIFT', 'ORB', 'AKAZE', 'KAZE', 'BRISK'] as const;
export type DetectorName = (typeof DETECTOR_NAMES)[number];

/** Quarter turns of the goal frame, clockwise. */
export type QuarterTurn = 0 | 1 | 2 | 3;

export interface DetectorPart {
  name: DetectorName;
  /** At least one, each once, in the order written. */
  turns: readonly QuarterTurn[];
}

const MAXIMUM_PARTS = 4;
const TURNS = /^[0-3]{1,4}$/;

/** @returns the parts in the order written, each name once; null when the text is no detector */
export function parseDetector(text: Detector): readonly DetectorPart[] | null {
  // One more than there may be, so that a text of any length costs the same.
  const texts = text.split('+', MAXIMUM_PARTS + 1);
  const parts = texts.map(parsePart).filter((part) => part !== null);
  const isComplete = parts.length === texts.length && parts.length <= MAXIMUM_PARTS;
  return isComplete && isUnique(parts.map(({ name }) => name)) ? parts : null;
}

export function isDetector(text: string): text is Detector {
  return parseDetector(text) !== null;
}

function parsePart(text: string): DetectorPart | null {
  const [written, digits = '0', ...rest] = text.split(':', 3);
  const name = DETECTOR_NAMES.find((known) => known === written);
  if (name === undefined || rest.length > 0 || !TURNS.test(digits)) return null;
  const turns = Array.from(digits, (digit) => Number(digit) as QuarterTurn);
  return isUnique(turns) ? { name, turns } : null;
}

function isUnique(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}
