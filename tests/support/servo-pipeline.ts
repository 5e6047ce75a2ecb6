import { createPolicy } from '../../src/runners/embedded/policy/create-policy.js';
import {
  decideStep,
  type ServoPipelineContext,
  type ServoPipelineOptions,
  type StepResult,
} from '../../src/runners/embedded/pipeline.js';
import type { ServoPolicy } from '../../src/runners/embedded/policy/servo-policy.js';
import type { GrayImage } from '../../src/runners/embedded/vision/features.js';
import { Observer } from '../../src/runners/embedded/vision/observer.js';

/** The parts of the engine's pipeline in one thread, a frame at a time. */
export interface ServoPipeline {
  readonly goalKeypoints: number;
  readonly policy: ServoPolicy;
  step(frame: GrayImage): StepResult;
  dispose(): void;
}

export async function createServoPipeline(
  options: ServoPipelineOptions,
  goalFrame: GrayImage,
  context: Pick<ServoPipelineContext, 'loadWeights' | 'breathe'> = {},
): Promise<ServoPipeline> {
  const observer = await Observer.create(options.detector);
  try {
    const goal = observer.findGoal(goalFrame);
    const policy = await createPolicy({
      ...options,
      goal: goal.keypoints,
      policy: options.policy ?? 'ibvs',
      remember: async (_key, make) => make(),
      loadWeights: context.loadWeights ?? (() => Promise.reject(new Error('The test gives no weights.'))),
      breathe: context.breathe ?? (() => Promise.resolve()),
    });
    return {
      goalKeypoints: goal.keypoints.count,
      policy,
      step: (frame) => decideStep(policy, observer.observe(goal, frame, options.intrinsics)),
      dispose: () => observer.dispose(),
    };
  } catch (error) {
    observer.dispose();
    throw error;
  }
}
