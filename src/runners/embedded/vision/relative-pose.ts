import type { RayPairs } from './camera-rays.js';
import { NormalEquations } from './linear-solver.js';
import { robustSigma, totalTukeyTrust, tukeyWeight } from './robust-scale.js';

const UNKNOWNS = 5;
/** A step smaller than this, in radians, changes nothing that can be seen. */
const SETTLED = 1e-7;
/** Tries with half the step when a step made things worse. */
const HALVINGS = 4;

/** How the current camera stands to the goal camera, up to the length of the way: X_current = rotation · X_goal + λ translation. */
export interface RelativePose {
  /** Row-major 3 x 3. */
  rotation: Float64Array;
  /** Of length 1. */
  translation: Float64Array;
}

/** E = [translation]x rotation: current' E goal = 0 for rays of one point. Row-major. */
export function essentialOf({ rotation: r, translation: t }: RelativePose): Float64Array {
  const essential = new Float64Array(9);
  for (let column = 0; column < 3; column++) {
    const [a, b, c] = [r[column]!, r[3 + column]!, r[6 + column]!];
    essential[column] = t[1]! * c - t[2]! * b;
    essential[3 + column] = t[2]! * a - t[0]! * c;
    essential[6 + column] = t[0]! * b - t[1]! * a;
  }
  return essential;
}

/**
 * Squared distance in pixels of each pair from the nearest that an essential matrix allows, to first order (Sampson 1982).
 */
export function squaredEpipolarErrors(
  essential: Float64Array,
  { count, goal, current, fx, fy }: RayPairs,
  errors: Float64Array,
): void {
  const [e0, e1, e2, e3, e4, e5, e6, e7, e8] = essential as unknown as Nine;
  for (let pair = 0; pair < count; pair++) {
    const x = goal[2 * pair]!;
    const y = goal[2 * pair + 1]!;
    const u = current[2 * pair]!;
    const v = current[2 * pair + 1]!;
    const lineX = e0 * x + e1 * y + e2;
    const lineY = e3 * x + e4 * y + e5;
    const value = u * lineX + v * lineY + e6 * x + e7 * y + e8;
    const backX = e0 * u + e3 * v + e6;
    const backY = e1 * u + e4 * v + e7;
    const slope = (lineX * lineX + backX * backX) / (fx * fx) + (lineY * lineY + backY * backY) / (fy * fy);
    errors[pair] = slope > 0 ? (value * value) / slope : 0;
  }
}

type Nine = [number, number, number, number, number, number, number, number, number];

/** Sum of the truncated errors; as soon as it reaches `bound`, some value not below it. */
export function epipolarCostBelow(
  essential: Float64Array,
  { count, goal, current, fx, fy }: RayPairs,
  limit: number,
  bound: number,
): number {
  const [e0, e1, e2, e3, e4, e5, e6, e7, e8] = essential as unknown as Nine;
  const perX = 1 / (fx * fx);
  const perY = 1 / (fy * fy);
  let cost = 0;
  for (let pair = 0; pair < count && cost < bound; pair++) {
    const x = goal[2 * pair]!;
    const y = goal[2 * pair + 1]!;
    const u = current[2 * pair]!;
    const v = current[2 * pair + 1]!;
    const lineX = e0 * x + e1 * y + e2;
    const lineY = e3 * x + e4 * y + e5;
    const value = u * lineX + v * lineY + e6 * x + e7 * y + e8;
    const backX = e0 * u + e3 * v + e6;
    const backY = e1 * u + e4 * v + e7;
    const slope = (lineX * lineX + backX * backX) * perX + (lineY * lineY + backY * backY) * perY;
    const square = value * value;
    cost += square < limit * slope ? square / slope : limit;
  }
  return cost;
}

/**
 * Least-squares pose from a near one: Gauss-Newton steps on rotation and direction, weighed anew before each by Tukey's
 * biweight of the epipolar errors. How the length of the epipolar lines' normals changes with the pose is part of the
 * derivative: without it, steps lead towards a motion along the optical axis when parallaxes are as small as noise.
 *
 * @param threshold pixels beyond which a pair has no weight
 * @returns the pose reached, no worse than the given one
 */
export function refinePose(rays: RayPairs, start: RelativePose, threshold: number, rounds: number): RelativePose {
  const { count, goal, current, fx, fy } = rays;
  const equations = new NormalEquations(UNKNOWNS);
  const row = new Float64Array(UNKNOWNS);
  const lengths = new Float64Array(count);
  const limit = threshold * threshold;
  const perX = 1 / (fx * fx);
  const perY = 1 / (fy * fy);
  let pose = start;
  let errors = new Float64Array(count);
  let nextErrors = new Float64Array(count);
  squaredEpipolarErrors(essentialOf(pose), rays, errors);
  for (let round = 0; round < rounds; round++) {
    const sigma = sigmaOfInliers(errors, lengths, threshold);
    const { rotation: r, translation: t } = pose;
    const [tangent, other] = tangents(t);
    const t0 = t[0]!;
    const t1 = t[1]!;
    const t2 = t[2]!;
    equations.clear();
    for (let pair = 0; pair < count; pair++) {
      if (errors[pair]! > limit) continue;
      const weight = tukeyWeight(errors[pair]!, sigma);
      if (weight === 0) continue;
      const x = goal[2 * pair]!;
      const y = goal[2 * pair + 1]!;
      const u = current[2 * pair]!;
      const v = current[2 * pair + 1]!;
      // The goal's ray as the current camera sees it.
      const a = r[0]! * x + r[1]! * y + r[2]!;
      const b = r[3]! * x + r[4]! * y + r[5]!;
      const c = r[6]! * x + r[7]! * y + r[8]!;
      const lineX = t1 * c - t2 * b;
      const lineY = t2 * a - t0 * c;
      const value = u * lineX + v * lineY + t0 * b - t1 * a;
      // current x translation
      const px = v * t2 - t1;
      const py = t0 - u * t2;
      const pz = u * t1 - v * t0;
      const backX = r[0]! * px + r[3]! * py + r[6]! * pz;
      const backY = r[1]! * px + r[4]! * py + r[7]! * pz;
      const slope = (lineX * lineX + backX * backX) * perX + (lineY * lineY + backY * backY) * perY;
      if (!(slope > 0)) continue;
      const share = value / slope;
      const [lx, ly, bx, by] = [share * lineX * perX, share * lineY * perY, share * backX * perX, share * backY * perY];
      const along = t0 * a + t1 * b + t2 * c;
      const onLine = lx * a + ly * b;
      // Of value: ray x (current x translation). Of the lines: rotation (translation . ray) - ray (translation . rotation).
      // Of the lines back: column of the rotation matrix x (current x translation).
      row[0] =
        b * pz - c * py - (lx * along - onLine * t0) - bx * (r[3]! * pz - r[6]! * py) - by * (r[4]! * pz - r[7]! * py);
      row[1] =
        c * px - a * pz - (ly * along - onLine * t1) - bx * (r[6]! * px - r[0]! * pz) - by * (r[7]! * px - r[1]! * pz);
      row[2] = a * py - b * px + onLine * t2 - bx * (r[0]! * py - r[3]! * px) - by * (r[1]! * py - r[4]! * px);
      // Of value: ray x current; of the lines: translation x ray; of the lines back: translation . column x current.
      const qx = b - c * v + ly * c - bx * (r[3]! - r[6]! * v) - by * (r[4]! - r[7]! * v);
      const qy = c * u - a - lx * c - bx * (r[6]! * u - r[0]!) - by * (r[7]! * u - r[1]!);
      const qz = a * v - b * u + lx * b - ly * a - bx * (r[0]! * v - r[3]! * u) - by * (r[1]! * v - r[4]! * u);
      row[3] = qx * tangent[0]! + qy * tangent[1]! + qz * tangent[2]!;
      row[4] = qx * other[0]! + qy * other[1]! + qz * other[2]!;
      equations.add(row, -value, weight / slope);
    }
    const step = equations.solve();
    if (step === null) break;
    const trust = totalTukeyTrust(errors, sigma);
    let next = moved(pose, step, tangent, other);
    squaredEpipolarErrors(essentialOf(next), rays, nextErrors);
    for (let halving = 0; totalTukeyTrust(nextErrors, sigma) < trust; halving++) {
      if (halving === HALVINGS) return pose;
      for (let i = 0; i < UNKNOWNS; i++) step[i]! /= 2;
      next = moved(pose, step, tangent, other);
      squaredEpipolarErrors(essentialOf(next), rays, nextErrors);
    }
    pose = next;
    [errors, nextErrors] = [nextErrors, errors];
    if (Math.hypot(...step) < SETTLED) break;
  }
  return pose;
}

/** Standard deviation of the errors within the threshold, pixels. */
export function sigmaOfInliers(squaredErrors: Float64Array, scratch: Float64Array, threshold: number): number {
  let inliers = 0;
  for (const error of squaredErrors) {
    if (error <= threshold * threshold) scratch[inliers++] = Math.sqrt(error);
  }
  return robustSigma(scratch, inliers, 1);
}

/** Two directions perpendicular to a unit vector and to each other. */
function tangents(t: Float64Array): [Float64Array, Float64Array] {
  const axis = Math.abs(t[0]!) < 0.6 ? Float64Array.of(1, 0, 0) : Float64Array.of(0, 1, 0);
  const first = unit(cross(t, axis));
  return [first, cross(t, first)];
}

function moved(pose: RelativePose, step: Float64Array, tangent: Float64Array, other: Float64Array): RelativePose {
  const translation = pose.translation.map((value, i) => value + step[3]! * tangent[i]! + step[4]! * other[i]!);
  return { rotation: turned(pose.rotation, step), translation: unit(translation) };
}

/** exp([w]x) rotation. */
function turned(rotation: Float64Array, w: Float64Array): Float64Array {
  const angle = Math.hypot(w[0]!, w[1]!, w[2]!);
  const result = new Float64Array(9);
  const sine = angle < 1e-12 ? 1 : Math.sin(angle) / angle;
  const cosine = angle < 1e-12 ? 0.5 : (1 - Math.cos(angle)) / (angle * angle);
  for (let column = 0; column < 3; column++) {
    const vector = Float64Array.of(rotation[column]!, rotation[3 + column]!, rotation[6 + column]!);
    const once = cross(w, vector);
    const twice = cross(w, once);
    for (let row = 0; row < 3; row++) {
      result[3 * row + column] = vector[row]! + sine * once[row]! + cosine * twice[row]!;
    }
  }
  return result;
}

/**
 * The pose whose essential matrix is given; of the four that have it, the one that puts most of the pairs in front of both
 * cameras (Horn, "Recovering baseline and orientation from essential matrix", 1990).
 *
 * @param chosen 1 for the pairs that have a say
 * @returns null for a matrix without a direction of translation
 */
export function poseOfEssential(essential: Float64Array, rays: RayPairs, chosen: Uint8Array): RelativePose | null {
  const rows = [essential.subarray(0, 3), essential.subarray(3, 6), essential.subarray(6, 9)] as const;
  const columns = [0, 1, 2].map((i) => Float64Array.of(essential[i]!, essential[3 + i]!, essential[6 + i]!));
  // Every column is perpendicular to the translation; the longest product of two is the most exact.
  const products = [cross(columns[0]!, columns[1]!), cross(columns[1]!, columns[2]!), cross(columns[2]!, columns[0]!)];
  const longest = products.reduce((best, product) => (square(product) > square(best) ? product : best));
  if (!(square(longest) > 0)) return null;
  const translation = unit(longest);
  const length = Math.sqrt(essential.reduce((total, value) => total + value * value, 0) / 2);
  const cofactors = [cross(rows[1], rows[2]), cross(rows[2], rows[0]), cross(rows[0], rows[1])] as const;
  let best: RelativePose | null = null;
  let bestCount = -1;
  for (const sign of [1, -1]) {
    const rotation = new Float64Array(9);
    for (let column = 0; column < 3; column++) {
      const product = cross(translation, columns[column]!);
      for (let row = 0; row < 3; row++) {
        rotation[3 * row + column] = cofactors[row]![column]! / length ** 2 - (sign * product[row]!) / length;
      }
    }
    for (const way of [1, -1]) {
      const pose = { rotation, translation: translation.map((value) => value * way) };
      const count = countInFront(pose, rays, chosen);
      if (count <= bestCount) continue;
      best = pose;
      bestCount = count;
    }
  }
  return best;
}

function countInFront(pose: RelativePose, rays: RayPairs, chosen: Uint8Array): number {
  const depths = inverseDepths(pose, rays);
  let count = 0;
  for (let pair = 0; pair < rays.count; pair++) if (chosen[pair] === 1 && depths.inverse[pair]! > 0) count++;
  return count;
}

export interface InverseDepths {
  /** 1 / depth in the goal camera, in units of the way between the cameras; NaN behind the current camera. */
  inverse: Float64Array;
  /** Pixels by which a point moves in the current frame when its inverse depth grows by 1. */
  gain: Float64Array;
}

/** Where along its ray each pair's point lies, by the place along the epipolar line nearest to the current position. */
export function inverseDepths({ rotation: r, translation: t }: RelativePose, rays: RayPairs): InverseDepths {
  const { count, goal, current, fx, fy } = rays;
  const inverse = new Float64Array(count);
  const gain = new Float64Array(count);
  for (let pair = 0; pair < count; pair++) {
    const x = goal[2 * pair]!;
    const y = goal[2 * pair + 1]!;
    const u = current[2 * pair]!;
    const v = current[2 * pair + 1]!;
    const depth = r[6]! * x + r[7]! * y + r[8]!;
    const slopeX = (t[0]! - u * t[2]!) * fx;
    const slopeY = (t[1]! - v * t[2]!) * fy;
    const missX = (u * depth - (r[0]! * x + r[1]! * y + r[2]!)) * fx;
    const missY = (v * depth - (r[3]! * x + r[4]! * y + r[5]!)) * fy;
    const slope = slopeX * slopeX + slopeY * slopeY;
    const value = (slopeX * missX + slopeY * missY) / slope;
    const seenDepth = depth + value * t[2]!;
    inverse[pair] = seenDepth > 0 ? value : Number.NaN;
    gain[pair] = Math.sqrt(slope) / seenDepth;
  }
  return { inverse, gain };
}

function cross(a: Float64Array, b: Float64Array): Float64Array {
  return Float64Array.of(a[1]! * b[2]! - a[2]! * b[1]!, a[2]! * b[0]! - a[0]! * b[2]!, a[0]! * b[1]! - a[1]! * b[0]!);
}

function square(a: Float64Array): number {
  return a[0]! ** 2 + a[1]! ** 2 + a[2]! ** 2;
}

function unit(a: Float64Array): Float64Array {
  const length = Math.sqrt(square(a));
  return a.map((value) => value / length);
}
