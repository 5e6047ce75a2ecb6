import { RunnerInputError } from '../../runner.errors.js';
import type { Detector, FrameProblem } from '../../runner.port.js';
import { agree, MINIMUM_POINTS } from './agreement.js';
import { AkazeDetector } from './akaze.js';
import type { FeatureDetector, Features, GrayImage, Keypoints } from './features.js';
import { Matcher, type Matches } from './matching.js';
import { NO_MATCHES, NO_PAIRS, type MatchedPairs, type Observation } from './observation.js';
import { OrbDetector } from './orb.js';
import { SiftDetector } from './sift.js';
import { workingImage } from './working-image.js';

/** A frame whose grey levels differ by no more than compression noise does shows nothing. */
const BLANK_RANGE = 2;

/**
 * Finds the goal's keypoints again in frames: features, matches, agreement. One frame knows nothing of another, so any
 * number of observers may share the frames of a job.
 */
export class Observer {
  /** @throws Error when the kernels are not built */
  static async create(detector: Detector): Promise<Observer> {
    return new Observer(await createDetector(detector), await Matcher.create());
  }

  private constructor(
    private readonly detector: FeatureDetector,
    private readonly matcher: Matcher,
  ) {}

  /** @throws RunnerInputError when the frame is blank, has fewer than 4 keypoints or needs more memory than there is */
  goalFeatures(frame: GrayImage): Features {
    if (isBlank(frame.gray)) {
      throw new RunnerInputError('The goal frame is blank: it shows no texture to find keypoints on');
    }
    const goal = this.features(frame);
    if (goal.count < MINIMUM_POINTS) {
      throw new RunnerInputError(
        `The goal frame has ${goal.count} keypoints; at least ${MINIMUM_POINTS} are needed. Choose a frame with more texture`,
      );
    }
    return goal;
  }

  /**
   * The frame's size may differ from the goal's.
   * @throws RunnerInputError when the frame needs more memory than there is
   */
  observe(goal: Features, frame: GrayImage): Observation {
    if (isBlank(frame.gray)) return unusable('blank-frame', 0);
    const current = this.features(frame);
    if (current.count < MINIMUM_POINTS) return unusable('too-few-keypoints', current.count);
    const matches = positions(goal, current, this.matcher.match(goal, current));
    return { keypoints: current.count, matches, ...agree(matches, goal, frame) };
  }

  dispose(): void {
    this.detector.dispose();
  }

  private features({ gray, width, height }: GrayImage): Features {
    const image = workingImage(gray, width, height);
    const features = this.detector.detect(image.gray, image.width, image.height);
    return { ...features, points: image.toFrame(features.points) };
  }
}

function createDetector(detector: Detector): Promise<FeatureDetector> {
  switch (detector) {
    case 'SIFT':
      return SiftDetector.create();
    case 'ORB':
      return OrbDetector.create();
    case 'AKAZE':
      return AkazeDetector.create();
  }
}

function unusable(problem: FrameProblem, keypoints: number): Observation {
  return { keypoints, matches: NO_MATCHES, inliers: new Uint8Array(0), weighted: NO_PAIRS, problem };
}

function positions(goal: Keypoints, current: Keypoints, matches: Matches): MatchedPairs {
  const { count } = matches;
  const pairs: MatchedPairs = {
    count,
    goalIndex: matches.goal,
    goal: new Float64Array(2 * count),
    current: new Float64Array(2 * count),
  };
  for (let i = 0; i < count; i++) {
    const from = 2 * matches.goal[i]!;
    const to = 2 * matches.current[i]!;
    pairs.goal[2 * i] = goal.points[from]!;
    pairs.goal[2 * i + 1] = goal.points[from + 1]!;
    pairs.current[2 * i] = current.points[to]!;
    pairs.current[2 * i + 1] = current.points[to + 1]!;
  }
  return pairs;
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
