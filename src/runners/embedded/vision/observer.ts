import { RunnerInputError } from '../../runner.errors.js';
import { parseDetector, type Detector, type DetectorPart } from '../../detector.js';
import type { FrameProblem, Intrinsics } from '../../runner.port.js';
import { agree, MINIMUM_POINTS } from './agreement.js';
import { createDetector } from './create-detector.js';
import type { FeatureDetector, Features, GrayImage } from './features.js';
import { GoalKeypoints, type Goal, type GoalPart, type GoalTurn } from './goal.js';
import { Matcher, type Matches } from './matching.js';
import { NO_MATCHES, NO_PAIRS, type MatchedPairs, type Observation } from './observation.js';
import { cutPatches } from './patches.js';
import { turnBack, turnImage } from './quarter-turn.js';
import { workingImage } from './working-image.js';

/** A frame whose grey levels differ by no more than compression noise does shows nothing. */
const BLANK_RANGE = 2;

interface ObserverPart extends DetectorPart {
  detector: FeatureDetector;
  /** One for each turn: a matcher keeps the goal it has seen last. */
  matchers: readonly Matcher[];
}

/** The matches of one part of the detector in a frame. */
interface PartMatches {
  turn: GoalTurn;
  current: Features;
  matches: Matches;
}

/**
 * Finds the goal's keypoints again in frames: features, matches, agreement. One frame knows nothing of another, so any
 * number of observers may share the frames of a job.
 */
export class Observer {
  /** @throws RangeError for a text that is no detector; Error when the kernels are not built */
  static async create(detector: Detector): Promise<Observer> {
    const parts = parseDetector(detector);
    if (parts === null) throw new RangeError(`"${detector}" is no detector`);
    return new Observer(await Promise.all(parts.map(createPart)));
  }

  private constructor(private readonly parts: readonly ObserverPart[]) {}

  /** @throws RunnerInputError when the frame is blank, has fewer than 4 keypoints or needs more memory than there is */
  findGoal(frame: GrayImage): Goal {
    if (isBlank(frame.gray)) {
      throw new RunnerInputError('The goal frame is blank: it shows no texture to find keypoints on');
    }
    const list = new GoalKeypoints();
    const parts = this.parts.map((part) => goalPart(part, frame, list));
    const keypoints = list.toKeypoints();
    if (keypoints.count < MINIMUM_POINTS) {
      throw new RunnerInputError(
        `${this.names} found ${keypoints.count} keypoints in the goal frame of ${frame.width}x${frame.height} pixels; at least ${MINIMUM_POINTS} are needed. Choose a frame with more texture, or another detector: in small pictures SIFT finds most`,
      );
    }
    return { width: frame.width, height: frame.height, keypoints, patches: cutPatches(frame, keypoints), parts };
  }

  /**
   * The frame's size may differ from the goal's.
   * @param goal found by an observer with the same detector
   * @throws RunnerInputError when the frame needs more memory than there is
   */
  observe(goal: Goal, frame: GrayImage, intrinsics: Intrinsics): Observation {
    if (isBlank(frame.gray)) return unusable('blank-frame', 0);
    const features = this.parts.map(({ detector }) => detect(detector, frame));
    const keypoints = features.reduce((sum, { count }) => sum + count, 0);
    if (keypoints < MINIMUM_POINTS) return unusable('too-few-keypoints', keypoints);
    const matches = goal.parts.map((part, i) => matchPart(part, this.parts[i]!.matchers, features[i]!));
    const pairs = positions(matches);
    return {
      keypoints,
      matches: pairs,
      ...agree(pairs, { goal, frame, framePoints: allPoints(features) }, intrinsics),
    };
  }

  dispose(): void {
    for (const { detector } of this.parts) detector.dispose();
  }

  private get names(): string {
    return this.parts.map(({ name }) => name).join(' and ');
  }
}

async function createPart(part: DetectorPart): Promise<ObserverPart> {
  const matchers = await Promise.all(part.turns.map(() => Matcher.create()));
  return { ...part, matchers, detector: await createDetector(part.name) };
}

/**
 * The turn that most keypoints are found again in. Only one: the others show the same keypoints, less like they are in
 * this frame.
 */
function matchPart({ turns }: GoalPart, matchers: readonly Matcher[], current: Features): PartMatches {
  return turns
    .map((turn, i) => ({ turn, current, matches: matchers[i]!.match(turn.features, current) }))
    .reduce((best, next) => (next.matches.count > best.matches.count ? next : best));
}

function goalPart({ name, turns, detector }: ObserverPart, frame: GrayImage, keypoints: GoalKeypoints): GoalPart {
  keypoints.beginPart();
  return {
    name,
    turns: turns.map((turn) => {
      const turned = detect(detector, turnImage(frame, turn));
      const features = { ...turned, points: turnBack(turned.points, turn, frame) };
      return { turn, features, goalIndex: keypoints.addTurn(features) };
    }),
  };
}

function detect(detector: FeatureDetector, { gray, width, height }: GrayImage): Features {
  const image = workingImage(gray, width, height, detector.maximumPixels);
  const features = detector.detect(image.gray, image.width, image.height);
  return { ...features, points: image.toFrame(features.points) };
}

function unusable(problem: FrameProblem, keypoints: number): Observation {
  return { keypoints, matches: NO_MATCHES, inliers: new Uint8Array(0), weighted: NO_PAIRS, problem };
}

function allPoints(parts: readonly Features[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, { points }) => sum + points.length, 0));
  let next = 0;
  for (const { points } of parts) {
    all.set(points, next);
    next += points.length;
  }
  return all;
}

/** The matches of all parts as positions, by ascending index of the goal's keypoint. */
function positions(parts: readonly PartMatches[]): MatchedPairs {
  const count = parts.reduce((sum, { matches }) => sum + matches.count, 0);
  const pairs: MatchedPairs = {
    count,
    goalIndex: new Int32Array(count),
    goal: new Float64Array(2 * count),
    current: new Float64Array(2 * count),
  };
  let next = 0;
  for (const { turn, current, matches } of parts) {
    for (const i of byGoalIndex(turn, matches)) {
      const from = 2 * matches.goal[i]!;
      const to = 2 * matches.current[i]!;
      pairs.goalIndex[next] = turn.goalIndex[matches.goal[i]!]!;
      pairs.goal[2 * next] = turn.features.points[from]!;
      pairs.goal[2 * next + 1] = turn.features.points[from + 1]!;
      pairs.current[2 * next] = current.points[to]!;
      pairs.current[2 * next + 1] = current.points[to + 1]!;
      next++;
    }
  }
  return pairs;
}

/** The numbers of the matches, ordered by what the goal's list calls their keypoints. */
function* byGoalIndex({ goalIndex }: GoalTurn, { count, goal }: Matches): Generator<number> {
  // Both numbers in one key: sorting plain numbers needs no comparison function.
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) keys[i] = goalIndex[goal[i]!]! * count + i;
  for (const key of keys.sort()) yield key % count;
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
