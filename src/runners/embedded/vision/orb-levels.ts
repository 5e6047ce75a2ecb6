/** Parameters of `cv::ORB_create()`; the factor has the float32 precision OpenCV takes it with. */
const SCALE_FACTOR = Math.fround(1.2);
const LEVELS = 8;
const KEYPOINTS = 500;
/** Keypoints keep this distance in pixels from the edges of their level: half the patch, turned, and the smoothing. */
export const BORDER = 31;

/** One image of the pyramid. */
export interface OrbLevel {
  index: number;
  width: number;
  height: number;
  /** Nominal pixels of the frame per pixel of this level; what rounding the size makes of it is width by width. */
  scale: number;
  /** Keypoints wanted, a share that falls with the level's width. */
  quota: number;
}

/** The levels of a frame that are large enough for a keypoint, the frame itself first. */
export function orbLevels(width: number, height: number): OrbLevel[] {
  return quotas()
    .map((quota, index) => {
      const scale = Math.fround(SCALE_FACTOR ** index);
      const shrink = Math.fround(1 / scale);
      return { index, width: roundHalfToEven(width * shrink), height: roundHalfToEven(height * shrink), scale, quota };
    })
    .filter((level) => Math.min(level.width, level.height) > 2 * BORDER);
}

function quotas(): number[] {
  const factor = Math.fround(1 / SCALE_FACTOR);
  let wanted = Math.fround((KEYPOINTS * (1 - factor)) / (1 - factor ** LEVELS));
  const counts: number[] = [];
  for (let level = 0; level < LEVELS - 1; level++) {
    counts.push(roundHalfToEven(wanted));
    wanted = Math.fround(wanted * factor);
  }
  counts.push(KEYPOINTS - counts.reduce((sum, count) => sum + count, 0));
  return counts;
}

/** `cvRound` of a value that OpenCV holds in float32. */
function roundHalfToEven(value: number): number {
  const single = Math.fround(value);
  const nearest = Math.round(single);
  return nearest - single === 0.5 && nearest % 2 === 1 ? nearest - 1 : nearest;
}
