import {
  angleBetween,
  magnitude,
  median,
  relativeDifference,
  weighRotation,
} from '../../tests/support/velocity-difference.js';

/** Frames slower than this share of the first one are at rest: ratios there compare noise. */
const MOVING_SHARE = 0.05;

export interface Difference {
  /** Moving frames, and those of them that got no velocity of ours; the latter are left out of the other figures. */
  frames: number;
  missing: number;
  /** Length of the difference relative to the reference, median and greatest over the moving frames. */
  medianRelative: number;
  maximumRelative: number;
  /** Degrees between the two, rotation weighed by the distance prior. */
  medianAngle: number;
  maximumAngle: number;
  /** Median deviation of the length, as a share of the reference's. */
  medianMagnitude: number;
  /** Median cosine of the angle between the plain six-vectors. */
  medianCosine: number;
}

/**
 * How far velocities are from reference ones, both [frames][6], over the frames where the reference moves.
 * @throws Error when they do not have the same number of frames
 */
export function compareVelocities(ours: number[][], reference: number[][], distance: number): Difference {
  if (ours.length !== reference.length) {
    throw new Error(`${ours.length} velocities cannot be compared with ${reference.length}`);
  }
  const moving = [...reference.keys()].filter(
    (frame) => magnitude(reference[frame]) > MOVING_SHARE * magnitude(reference[0]),
  );
  const frames = moving.filter((frame) => magnitude(ours[frame]) > 0);
  const relative = frames.map((frame) => relativeDifference(ours[frame], reference[frame]));
  const angles = frames.map((frame) => angleBetween(ours[frame], reference[frame], distance));
  const lengths = frames.map((frame) => {
    const [length, wanted] = [ours[frame], reference[frame]].map((v) => magnitude(weighRotation(v, distance)));
    return Math.abs(length / wanted - 1);
  });
  const cosines = frames.map((frame) => Math.cos((angleBetween(ours[frame], reference[frame], 1) * Math.PI) / 180));
  return {
    frames: moving.length,
    missing: moving.length - frames.length,
    medianRelative: median(relative),
    maximumRelative: Math.max(...relative),
    medianAngle: median(angles),
    maximumAngle: Math.max(...angles),
    medianMagnitude: median(lengths),
    medianCosine: median(cosines),
  };
}
