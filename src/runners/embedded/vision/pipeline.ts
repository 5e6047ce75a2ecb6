import { RunnerInputError } from '../../runner.errors.js';
import type { Detector, FrameProblem, Intrinsics } from '../../runner.port.js';
import { countPlaces, logFalseAlarms } from './consensus-chance.js';
import type { FeatureDetector, Features, Keypoints } from './features.js';
import { fitHomography, type PointPairs } from './homography.js';
import { ibvsVelocity, type Velocity } from './ibvs.js';
import { Matcher, type Match } from './matching.js';
import { OpenCvDetector } from './opencv-detector.js';
import { withPredictedPairs } from './predicted-pairs.js';
import { SiftDetector } from './sift.js';
import { spread } from './spread.js';
import { workingImage } from './working-image.js';

export type { Keypoints };

/** A pair of keypoints, in pixels of the goal frame and of the current frame. */
export interface Correspondence {
  goalX: number;
  goalY: number;
  currentX: number;
  currentY: number;
  /** Whether it agrees with the motion of the others; only inliers decide the velocity. */
  inlier: boolean;
}

export interface StepResult {
  /** [vx, vy, vz, wx, wy, wz] in m/s and rad/s, frame of the current camera; zero when `problem` is set. Always finite. */
  velocity: Velocity;
  keypoints: number;
  matches: number;
  inliers: number;
  /** RMS distance of the inliers from their goal positions, pixels; null without inliers. */
  featureErrorPx: number | null;
  problem: FrameProblem | null;
  correspondences: Correspondence[];
}

/** Computes the camera velocity that leads from each current frame to the goal frame. */
export interface ServoPipeline {
  /** @throws RunnerInputError when the frame is blank, has fewer than 4 keypoints or needs more memory than there is */
  setGoal(gray: Uint8Array, width: number, height: number): { keypoints: number };
  /**
   * A frame that cannot be used gets the zero velocity and a `problem`. Its size may differ from the goal's.
   * @throws RunnerInputError when the frame needs more memory than there is; Error when no goal is set
   */
  step(gray: Uint8Array, width: number, height: number): StepResult;
  dispose(): void;
}

export interface ServoPipelineOptions {
  detector: Detector;
  intrinsics: Intrinsics;
  /** Metres from the goal camera to the scene. */
  distance: number;
}

/** @throws Error when the kernels are not built */
export async function createServoPipeline(options: ServoPipelineOptions): Promise<ServoPipeline> {
  const matcher = await Matcher.create();
  return new KeypointServo(await createDetector(options.detector), matcher, options.intrinsics, options.distance);
}

function createDetector(detector: Detector): Promise<FeatureDetector> {
  return detector === 'SIFT' ? SiftDetector.create() : OpenCvDetector.create(detector);
}

/** Fewest keypoints and matches that can determine a velocity. */
const MINIMUM_POINTS = 4;
/** Agreement that accident would bring about more often than once in 10^4 frames is no agreement. */
const MAXIMUM_LOG_FALSE_ALARMS = -4;
/** Keypoints nearer to each other than this are not independent. */
const PLACE_SIZE_PX = 8;
const INLIER_THRESHOLD_PX = 3;
/** A frame whose grey levels differ by no more than compression noise does shows nothing. */
const BLANK_RANGE = 2;
/** Points whose narrow extent is below the inlier threshold lie on a line as far as one can tell. */
const MINIMUM_SPREAD_PX = 3;

class KeypointServo implements ServoPipeline {
  private goal: Features | null = null;

  constructor(
    private readonly detector: FeatureDetector,
    private readonly matcher: Matcher,
    private readonly intrinsics: Intrinsics,
    private readonly distance: number,
  ) {}

  setGoal(gray: Uint8Array, width: number, height: number): { keypoints: number } {
    if (isBlank(gray)) throw new RunnerInputError('The goal frame is blank: it shows no texture to find keypoints on');
    const goal = this.features(gray, width, height);
    if (goal.count < MINIMUM_POINTS) {
      throw new RunnerInputError(
        `The goal frame has ${goal.count} keypoints; at least ${MINIMUM_POINTS} are needed. Choose a frame with more texture`,
      );
    }
    this.goal = goal;
    return { keypoints: goal.count };
  }

  step(gray: Uint8Array, width: number, height: number): StepResult {
    if (this.goal === null) throw new Error('setGoal must succeed before the first step');
    if (isBlank(gray)) return failed('blank-frame', 0, []);
    const current = this.features(gray, width, height);
    if (current.count < MINIMUM_POINTS) return failed('too-few-keypoints', current.count, []);
    const matches = this.matcher.match(this.goal, current);
    return this.solve(this.goal, current, matches, { width, height });
  }

  dispose(): void {
    this.goal = null;
    this.detector.dispose();
  }

  private features(gray: Uint8Array, width: number, height: number): Features {
    const image = workingImage(gray, width, height);
    const features = this.detector.detect(image.gray, image.width, image.height);
    return { ...features, points: image.toFrame(features.points) };
  }

  private solve(goal: Keypoints, current: Keypoints, matches: Match[], frame: FrameSize): StepResult {
    const pairs = positions(goal, current, matches);
    const unfitted = correspondences(pairs, new Uint8Array(pairs.count));
    if (pairs.count < MINIMUM_POINTS) return failed('too-few-matches', current.count, unfitted);
    if (isNarrow(pairs, null)) return failed('degenerate-geometry', current.count, unfitted);
    const fit = fitHomography(pairs, INLIER_THRESHOLD_PX);
    if (fit === null) return failed('too-few-inliers', current.count, unfitted);
    const fitted = correspondences(pairs, fit.inliers);
    if (!isEvidence(pairs, fit.inliers, frame)) return failed('too-few-inliers', current.count, fitted);
    if (isNarrow(pairs, fit.inliers)) return failed('degenerate-geometry', current.count, fitted);
    const weighted = withPredictedPairs(pairs, fit, goal, frame);
    const velocity = ibvsVelocity(weighted, this.intrinsics, this.distance, weighted.weights);
    if (velocity === null) return failed('degenerate-geometry', current.count, fitted);
    return { ...summary(current.count, fitted), velocity, problem: null };
  }
}

interface FrameSize {
  width: number;
  height: number;
}

function failed(problem: FrameProblem, keypoints: number, pairs: Correspondence[]): StepResult {
  return { ...summary(keypoints, pairs), velocity: [0, 0, 0, 0, 0, 0], problem };
}

function summary(keypoints: number, pairs: Correspondence[]): Omit<StepResult, 'velocity' | 'problem'> {
  const inliers = pairs.filter(({ inlier }) => inlier);
  const square = inliers.reduce(
    (sum, { goalX, goalY, currentX, currentY }) => sum + (goalX - currentX) ** 2 + (goalY - currentY) ** 2,
    0,
  );
  return {
    keypoints,
    matches: pairs.length,
    inliers: inliers.length,
    featureErrorPx: inliers.length === 0 ? null : Math.sqrt(square / inliers.length),
    correspondences: pairs,
  };
}

function positions(goal: Keypoints, current: Keypoints, matches: Match[]): PointPairs {
  const pick = (points: Float32Array, indices: number[]): Float64Array =>
    Float64Array.from(indices.flatMap((index) => [points[2 * index]!, points[2 * index + 1]!]));
  return {
    count: matches.length,
    goal: pick(
      goal.points,
      matches.map((match) => match.goal),
    ),
    current: pick(
      current.points,
      matches.map((match) => match.current),
    ),
  };
}

function correspondences({ count, goal, current }: PointPairs, inliers: Uint8Array): Correspondence[] {
  return Array.from({ length: count }, (_, i) => ({
    goalX: goal[2 * i]!,
    goalY: goal[2 * i + 1]!,
    currentX: current[2 * i]!,
    currentY: current[2 * i + 1]!,
    inlier: inliers[i] === 1,
  }));
}

/** Whether the points lie on a line, or in one place, in either frame. */
function isNarrow({ goal, current }: PointPairs, inliers: Uint8Array | null): boolean {
  return Math.min(spread(goal, inliers), spread(current, inliers)) < MINIMUM_SPREAD_PX;
}

/** Whether the inliers agree more than wrong matches would by accident. */
function isEvidence({ count, goal, current }: PointPairs, inliers: Uint8Array, { width, height }: FrameSize): boolean {
  const places = Math.min(countPlaces(goal, inliers, PLACE_SIZE_PX), countPlaces(current, inliers, PLACE_SIZE_PX));
  const chance = Math.min((Math.PI * INLIER_THRESHOLD_PX ** 2) / (width * height), 1);
  return logFalseAlarms(places, count, chance) < MAXIMUM_LOG_FALSE_ALARMS;
}

function isBlank(gray: Uint8Array): boolean {
  let lowest = 255;
  let highest = 0;
  for (const value of gray) {
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
    if (highest - lowest > BLANK_RANGE) return false;
  }
  return true;
}
