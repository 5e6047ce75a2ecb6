import type { Detector } from '../detector.js';
import { RunnerUnavailableError } from '../runner.errors.js';
import type { FrameProblem, Intrinsics, Policy } from '../runner.port.js';
import type { LoadedWeights } from './cns/load-weights.js';
import { createPolicy } from './policy/create-policy.js';
import type { ServoPolicy, Velocity } from './policy/servo-policy.js';
import type { GrayImage } from './vision/features.js';
import type { Goal } from './vision/goal.js';
import { countInliers, featureErrorPx, type Observation } from './vision/observation.js';
import { Observer } from './vision/observer.js';

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
export interface ServoPipeline {
  readonly goalKeypoints: number;
  readonly policy: Pick<ServoPolicy, 'model' | 'warnings' | 'saveState' | 'restoreState'>;
  /**
   * Frames in order, each once. One that cannot be used gets the zero velocity and a `problem`. Its size may differ from
   * the goal's.
   * @throws RunnerInputError when the frame needs more memory than there is
   */
  step(frame: GrayImage): StepResult;
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
  /** Weights of the CNS network; asked for by its policy only. */
  loadWeights?(): Promise<LoadedWeights>;
  /** Awaited now and then during long preparations; may throw to end them. */
  breathe?(): Promise<void>;
}

/**
 * @throws RunnerInputError when the goal frame is blank, has fewer than 4 keypoints or needs more memory than there is;
 *   RunnerUnavailableError when the policy has no weights; Error when the kernels are not built
 */
export async function createServoPipeline(
  options: ServoPipelineOptions,
  goalFrame: GrayImage,
  context: ServoPipelineContext = {},
): Promise<ServoPipeline> {
  const observer = await Observer.create(options.detector);
  try {
    const goal = observer.findGoal(goalFrame);
    const policy = await createPolicy({
      ...options,
      goal: goal.keypoints,
      policy: options.policy ?? 'ibvs',
      loadWeights: context.loadWeights ?? refuseWithoutWeights,
      breathe: context.breathe ?? (() => Promise.resolve()),
    });
    return new KeypointServo(observer, goal, options.intrinsics, policy);
  } catch (error) {
    observer.dispose();
    throw error;
  }
}

function refuseWithoutWeights(): Promise<never> {
  return Promise.reject(new RunnerUnavailableError('This engine has no weights for the policy "cns".'));
}

class KeypointServo implements ServoPipeline {
  constructor(
    private readonly observer: Observer,
    private readonly goal: Goal,
    private readonly intrinsics: Intrinsics,
    readonly policy: ServoPolicy,
  ) {}

  get goalKeypoints(): number {
    return this.goal.keypoints.count;
  }

  step(frame: GrayImage): StepResult {
    const observation = this.observer.observe(this.goal, frame, this.intrinsics);
    const decided = observation.problem === null ? this.policy.decide(observation) : null;
    const velocity = decided?.every(Number.isFinite) === true ? decided : null;
    return {
      velocity: velocity ?? [0, 0, 0, 0, 0, 0],
      inliers: countInliers(observation.inliers),
      featureErrorPx: featureErrorPx(observation),
      problem: observation.problem ?? (velocity === null ? 'degenerate-geometry' : null),
      observation,
    };
  }

  dispose(): void {
    this.observer.dispose();
  }
}
