import type { Keypoints } from './features.js';
import type { HomographyFit, PointPairs } from './homography.js';
import type { WeightedPairs } from './observation.js';

/** Share of the total weight that predicted positions get; the rest belongs to the measured ones. */
const PREDICTED_SHARE = 0.5;

/**
 * The measured pairs, and every goal keypoint the current frame must show, at the place the homography predicts.
 *
 * With one depth for all points, the velocity depends on where in the image the points lie. Which keypoints get matched
 * varies from frame to frame; which ones are in view hardly does. On tilted planes this halves the angle to the velocity
 * of exact correspondences. Half the weight stays with the measurements, so that a scene that is no plane, where
 * predictions are off, is still led by what is seen.
 */
export function withPredictedPairs(
  measured: PointPairs,
  fit: HomographyFit,
  goal: Keypoints,
  frame: { width: number; height: number },
): WeightedPairs {
  const predicted = predictVisible(fit.matrix, goal, frame);
  const predictedCount = predicted.goal.length / 2;
  const measuredWeight = fit.weights.reduce((sum, weight) => sum + weight, 0);
  const each = predictedCount === 0 ? 0 : (measuredWeight * PREDICTED_SHARE) / predictedCount;
  return {
    count: measured.count + predictedCount,
    goal: Float64Array.from([...measured.goal, ...predicted.goal]),
    current: Float64Array.from([...measured.current, ...predicted.current]),
    weights: Float64Array.from([
      ...fit.weights.map((weight) => weight * (1 - PREDICTED_SHARE)),
      ...new Float64Array(predictedCount).fill(each),
    ]),
  };
}

/** Goal keypoints whose predicted position lies in the current frame. */
function predictVisible(
  matrix: Float64Array,
  { count, points }: Keypoints,
  { width, height }: { width: number; height: number },
): { goal: number[]; current: number[] } {
  const goal: number[] = [];
  const current: number[] = [];
  for (let i = 0; i < count; i++) {
    const x = points[2 * i]!;
    const y = points[2 * i + 1]!;
    const depth = matrix[6]! * x + matrix[7]! * y + matrix[8]!;
    if (!(depth > 0)) continue;
    const u = (matrix[0]! * x + matrix[1]! * y + matrix[2]!) / depth;
    const v = (matrix[3]! * x + matrix[4]! * y + matrix[5]!) / depth;
    if (u < -0.5 || v < -0.5 || u > width - 0.5 || v > height - 0.5) continue;
    goal.push(x, y);
    current.push(u, v);
  }
  return { goal, current };
}
