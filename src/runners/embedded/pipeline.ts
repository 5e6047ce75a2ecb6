import type { Detector } from '../detector.js';
import { RunnerUnavailableError } from '../runner.errors.js';
import type { FrameProblem, Intrinsics, Policy } from '../runner.port.js';
import type { LoadedWeights } from './cns/load-weights.js';
import { goalKey, type GoalCache } from './observers/goal-cache.js';
import type { Aim, Observers } from './observers/observers.js';
import { createPolicy } from './policy/create-policy.js';
import type { ServoPolicy, Velocity } from './policy/servo-policy.js';
import type { GrayImage } from './vision/features.js';
import { goalBytes, type Goal } from './vision/goal.js';
import { countInliers, featureErrorPx, type Observation } from './vision/observation.js';

export interface StepResult {
  /** Zero when `problem` is set. Always finite. */
  velocity: Velocity;
  inliers: number;
  /** RMS distance of the inliers from their goal positions, pixels; null without inliers. */
  featureErrorPx: number | null;
  problem: FrameProblem | null;
  observation: Observation;
}

/** Computes the camera velocity that leads from each current frame to the goal frame. */
export interface ServoPipeline extends Pick<Aim, 'lookAhead' | 'observe'> {
  readonly goalKeypoints: number;
  readonly policy: Pick<ServoPolicy, 'model' | 'warnings' | 'saveState' | 'restoreState'>;
  /** Observations in the order of their frames, each once. One that cannot be used gets the zero velocity and a `problem`. */
  decide(observation: Observation): StepResult;
  dispose(): void;
}

export interface ServoPipelineOptions {
  detector: Detector;
  intrinsics: Intrinsics;
  /** Metres from the goal camera to the scene. */
  distance: number;
  /** Default `ibvs`. */
  policy?: Policy;
}

/** What a pipeline asks of its surroundings. */
export interface ServoPipelineContext {
  observers: Observers;
  /** What is known of goal frames from other jobs. */
  goals: GoalCache;
  /** Weights of the CNS network; asked for by its policy only. */
  loadWeights?(): Promise<LoadedWeights>;
  /** Awaited now and then during long preparations; may throw to end them. */
  breathe?(): Promise<void>;
}

/**
 * @throws RunnerInputError when the goal frame is blank, has fewer than 4 keypoints or needs more memory than there is;
 *   RunnerUnavailableError when the policy has no weights; RunnerCrashedError when an observer died; Error when the kernels are not built
 */
export async function createServoPipeline(
  options: ServoPipelineOptions,
  goalFrame: GrayImage,
  context: ServoPipelineContext,
): Promise<ServoPipeline> {
  const { observers, goals } = context;
  const { detector } = options;
  const key = goalKey(detector, goalFrame);
  const goal = await goals.remember(`${key} features`, () => observers.findGoal(detector, goalFrame), goalBytes);
  const policy = await createPolicy({
    ...options,
    goal: goal.keypoints,
    policy: options.policy ?? 'ibvs',
    remember: (what, make, sizeOf) => goals.remember(`${key} ${what}`, make, sizeOf),
    loadWeights: context.loadWeights ?? refuseWithoutWeights,
    breathe: context.breathe ?? (() => Promise.resolve()),
  });
  return new KeypointServo(goal, await observers.aim(options, goal), policy);
}

function refuseWithoutWeights(): Promise<never> {
  return Promise.reject(new RunnerUnavailableError('This engine has no weights for the policy "cns".'));
}

class KeypointServo implements ServoPipeline {
  constructor(
    private readonly goal: Goal,
    private readonly aim: Aim,
    readonly policy: ServoPolicy,
  ) {}

  get goalKeypoints(): number {
    return this.goal.keypoints.count;
  }

  get lookAhead(): number {
    return this.aim.lookAhead;
  }

  observe(frame: GrayImage): ReturnType<Aim['observe']> {
    return this.aim.observe(frame);
  }

  decide(observation: Observation): StepResult {
    return decideStep(this.policy, observation);
  }

  dispose(): void {
    this.aim.release();
  }
}

/** What the policy makes of an observation; never a velocity that is not finite. */
export function decideStep(policy: ServoPolicy, observation: Observation): StepResult {
  const decided = observation.problem === null ? policy.decide(observation) : null;
  const velocity = decided?.every(Number.isFinite) === true ? decided : null;
  return {
    velocity: velocity ?? [0, 0, 0, 0, 0, 0],
    inliers: countInliers(observation.inliers),
    featureErrorPx: featureErrorPx(observation),
    problem: observation.problem ?? (velocity === null ? 'degenerate-geometry' : null),
    observation,
  };
}
