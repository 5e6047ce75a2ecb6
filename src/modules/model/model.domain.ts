import type { ModelModality, ModelStatus } from '../../contract/model.contract.js';
import type { PageRequest } from '../../platform/page.js';
import type { GpuNeed, RunRequirements } from '../../runners/requirements.js';
import type { RunParameters } from '../../runners/runner.port.js';

/** A JSON Schema document (2020-12) whose instances are objects. */
export type ParameterSchema = Readonly<Record<string, unknown>>;

/** Which runners a model may run on; a list that is left out allows all. Both hold together. */
export interface RunnerSelection {
  kinds?: readonly string[] | undefined;
  names?: readonly string[] | undefined;
}

export interface ModelResources {
  gpu: GpuNeed;
  /** Mebibytes of main memory that a run takes. */
  memory_mb?: number | undefined;
  /** Mebibytes of GPU memory that a run takes. */
  vram_mb?: number | undefined;
}

/** One version of a model. Its name, version, schema and digest never change: jobs have been checked by them. */
export interface Model {
  id: string;
  name: string;
  version: string;
  modality: ModelModality;
  description: string;
  /** What it takes beside, or more narrowly than, the parameters of every run. */
  parameterSchema: ParameterSchema;
  runners: RunnerSelection;
  resources: ModelResources;
  /** `sha256:` and hexadecimal digits, of its weights; null when it has none, or nobody said. */
  digest: string | null;
  status: ModelStatus;
  createdAt: Date;
  updatedAt: Date;
}

export type NewModel = Omit<Model, 'id' | 'createdAt' | 'updatedAt'>;

/** What is left out stays as it is. */
export type ModelChange = {
  [Key in 'description' | 'runners' | 'resources' | 'status']?: Model[Key] | undefined;
};

export interface ModelFilter extends PageRequest {
  name: string | null;
  status: ModelStatus | null;
}

/** What a job keeps of its model. */
export interface ModelOfJob {
  id: string;
  name: string;
  version: string;
  /** Parameters that its own schema adds; checked, defaults filled. */
  parameters: Readonly<Record<string, unknown>>;
}

/** The row of the model that jobs run when they name none; its name and version are `CNS_MODEL`. */
export const CNS_MODEL_ID = '00000000-0000-4000-8000-000000636e73';

/** A model as a request names it: a name stands for its newest active version. */
export interface ModelReference {
  name: string;
  version: string | null;
}

/** @param text `name` or `name@version`, as the contract has checked it */
export function parseModelReference(text: string): ModelReference {
  const [name, version = null] = text.split('@', 2);
  return { name, version };
}

/** What a job on the model needs of its runner. */
export function requirementsOf(
  { parameters }: { parameters: Pick<RunParameters, 'policy' | 'detector' | 'useGpus'> },
  { name, runners, resources }: Pick<Model, 'name' | 'runners' | 'resources'>,
): RunRequirements {
  return {
    model: name,
    kinds: runners.kinds ?? null,
    runners: runners.names ?? null,
    policy: parameters.policy,
    detector: parameters.detector,
    gpu: gpuNeed(resources.gpu, parameters.useGpus),
  };
}

function gpuNeed(ofModel: GpuNeed, isWanted: boolean): GpuNeed {
  if (ofModel === 'required') return 'required';
  return isWanted && ofModel === 'preferred' ? 'preferred' : 'none';
}
