import { parseDetector, type Detector } from './detector.js';
import type { Policy, RunnerDescription } from './runner.port.js';

/**
 * `required`: only runners with a GPU will do. `preferred`: one with a GPU first, any other when there is none.
 * `none`: a GPU changes nothing, so the places on it are left to others.
 */
export const GPU_NEEDS = ['required', 'preferred', 'none'] as const;
export type GpuNeed = (typeof GPU_NEEDS)[number];

/** What a job needs of the runner that takes it. */
export interface RunRequirements {
  /** Name of the model. */
  model: string;
  /** Kinds of runners that the model is meant for; null: all. Holds together with `runners`. */
  kinds: readonly string[] | null;
  /** Names of the runners that the model is bound to; null: all. */
  runners: readonly string[] | null;
  policy: Policy;
  detector: Detector;
  gpu: GpuNeed;
}

/** What is known of a runner without asking it. */
export interface RunnerCandidate {
  kind: string;
  name: string;
  description: Pick<RunnerDescription, 'serves' | 'policies' | 'detectors' | 'device'>;
}

/** Why a runner cannot take a job, whatever its load. */
export type Mismatch = 'kind' | 'runner' | 'model' | 'policy' | 'detector' | 'gpu';

/** @returns the first need that the runner does not meet; null when it can take the job */
export function mismatchOf(needs: RunRequirements, { kind, name, description }: RunnerCandidate): Mismatch | null {
  if (needs.kinds !== null && !needs.kinds.includes(kind)) return 'kind';
  if (needs.runners !== null && !needs.runners.includes(name)) return 'runner';
  if (!description.serves.includes(needs.model)) return 'model';
  if (!description.policies.includes(needs.policy)) return 'policy';
  const parts = parseDetector(needs.detector);
  if (parts === null || parts.some((part) => !description.detectors.includes(part.name))) return 'detector';
  return needs.gpu === 'required' && description.device !== 'gpu' ? 'gpu' : null;
}
