import { RunnerRefusedError } from '../runner.errors.js';
import type { ModelMetadata, TensorMetadata } from './inference.client.js';
import type { Datatype } from './tensor.js';

/**
 * What a model has to take and to give so that jobs can run on it. Lengths of dimensions are numbers, or the names of
 * what they are of.
 */
type Dimension = number | 'frames' | 'height' | 'width';

interface TensorRule {
  /** The first is taken where the server does not say. */
  datatypes: readonly Datatype[];
  dimensions: readonly Dimension[];
  isRequired?: true;
}

/** Inputs that a job has something for. A model need not want them all, but it wants no others. */
export const INPUTS = {
  goal: { datatypes: ['UINT8'], dimensions: ['height', 'width'], isRequired: true },
  frames: { datatypes: ['UINT8'], dimensions: ['frames', 'height', 'width'], isRequired: true },
  frame_index: { datatypes: ['INT32', 'INT64'], dimensions: ['frames'] },
  intrinsics: { datatypes: ['FP64', 'FP32'], dimensions: [4] },
  distance: { datatypes: ['FP64', 'FP32'], dimensions: [1] },
  detector: { datatypes: ['BYTES'], dimensions: [1] },
  policy: { datatypes: ['BYTES'], dimensions: [1] },
} as const satisfies Readonly<Record<string, TensorRule>>;

/** Outputs that a result has a place for. Others are not asked for. */
export const OUTPUTS = {
  velocity: { datatypes: ['FP64', 'FP32'], dimensions: ['frames', 6], isRequired: true },
  keypoints: { datatypes: ['INT32', 'INT64'], dimensions: ['frames'] },
  matches: { datatypes: ['INT32', 'INT64'], dimensions: ['frames'] },
  inliers: { datatypes: ['INT32', 'INT64'], dimensions: ['frames'] },
  feature_error_px: { datatypes: ['FP64', 'FP32'], dimensions: ['frames'] },
  problem: { datatypes: ['BYTES'], dimensions: ['frames'] },
  goal_keypoints: { datatypes: ['INT32', 'INT64'], dimensions: [1] },
} as const satisfies Readonly<Record<string, TensorRule>>;

export type InputName = keyof typeof INPUTS;
export type OutputName = keyof typeof OUTPUTS;

/** How one input is sent. */
export interface InputForm {
  datatype: Datatype;
  /** A dimension of length one comes before the others, as servers have it that batch by themselves. */
  isBatched: boolean;
}

/** What is known of a model after its metadata has been read. */
export interface ModelBinding {
  inputs: ReadonlyMap<InputName, InputForm>;
  /** Null: the server does not say which it has. */
  outputs: readonly OutputName[] | null;
  /** It takes pictures of this size only; null where it takes any. */
  pictureHeight: number | null;
  pictureWidth: number | null;
  /** It takes frames one at a time. */
  takesSingleFrames: boolean;
}

/**
 * @param peer who has the model, as a sentence begins
 * @throws RunnerRefusedError that names every tensor that does not fit
 */
export function bindModel(metadata: ModelMetadata, peer: string): ModelBinding {
  const misfits = [
    ...misfitsOf(metadata.inputs, INPUTS, 'input'),
    ...unknownInputs(metadata.inputs),
    ...misfitsOf(metadata.outputs, OUTPUTS, 'output'),
  ];
  if (misfits.length > 0) {
    throw new RunnerRefusedError(`${peer} has a model "${metadata.name}" that does not fit: ${misfits.join('; ')}.`);
  }
  const pictures = metadata.inputs.filter(({ name }) => name === 'goal' || name === 'frames').map(knownDimensions);
  return {
    inputs: inputForms(metadata.inputs),
    outputs: metadata.outputs.length === 0 ? null : outputNames(metadata.outputs),
    pictureHeight: fixed(pictures.map((dimensions) => dimensions.at(-2))),
    pictureWidth: fixed(pictures.map((dimensions) => dimensions.at(-1))),
    takesSingleFrames: framesPerRequest(metadata.inputs) === 1,
  };
}

function inputForms(inputs: readonly TensorMetadata[]): Map<InputName, InputForm> {
  // A server that does not name its inputs is sent all of them.
  const names = inputs.length === 0 ? inputNames() : inputNames().filter((name) => inputs.some((i) => i.name === name));
  return new Map(
    names.map((name) => {
      const said = inputs.find((input) => input.name === name);
      const rule: TensorRule = INPUTS[name];
      const datatype = rule.datatypes.find((candidate) => candidate === said?.datatype) ?? rule.datatypes[0];
      return [name, { datatype, isBatched: said !== undefined && isBatched(said, rule) }];
    }),
  );
}

const inputNames = () => Object.keys(INPUTS) as InputName[];

function outputNames(outputs: readonly TensorMetadata[]): OutputName[] {
  return (Object.keys(OUTPUTS) as OutputName[]).filter((name) => outputs.some((output) => output.name === name));
}

function misfitsOf(
  said: readonly TensorMetadata[],
  rules: Readonly<Record<string, TensorRule>>,
  role: 'input' | 'output',
): string[] {
  // A server may leave the list out; what does not fit then shows in its answers.
  if (said.length === 0) return [];
  return Object.entries(rules).flatMap(([name, rule]) => {
    const tensor = said.find((candidate) => candidate.name === name);
    const wanted = `${rule.datatypes.join(' or ')} [${rule.dimensions.join(', ')}]`;
    if (tensor === undefined) return rule.isRequired ? [`it lacks the ${role} "${name}" (${wanted})`] : [];
    if (fits(tensor, rule)) return [];
    return [`its ${role} "${name}" is ${tensor.datatype} [${tensor.shape.join(', ')}] instead of ${wanted}`];
  });
}

function unknownInputs(inputs: readonly TensorMetadata[]): string[] {
  const unknown = inputs.filter(({ name }) => !Object.hasOwn(INPUTS, name));
  return unknown.map(({ name }) => `it wants an input "${name}", for which a job has nothing`);
}

function fits(tensor: TensorMetadata, rule: TensorRule): boolean {
  if (!rule.datatypes.some((datatype) => datatype === tensor.datatype)) return false;
  // An empty shape is how servers say that they do not know.
  if (tensor.shape.length === 0) return true;
  const dimensions = isBatched(tensor, rule) ? tensor.shape.slice(1) : tensor.shape;
  if (dimensions.length !== rule.dimensions.length) return false;
  return rule.dimensions.every((wanted, place) => fitsDimension(dimensions[place], wanted));
}

function fitsDimension(length: number, wanted: Dimension): boolean {
  if (length === -1) return true;
  if (typeof wanted === 'number') return length === wanted;
  // Videos come in all lengths: a model that wants three frames at a time cannot have the last two of eight.
  return wanted === 'frames' ? length === 1 : length > 0;
}

function isBatched({ shape }: TensorMetadata, { dimensions }: TensorRule): boolean {
  return shape.length === dimensions.length + 1 && (shape[0] === -1 || shape[0] === 1);
}

function framesPerRequest(inputs: readonly TensorMetadata[]): number | undefined {
  const frames = inputs.find(({ name }) => name === 'frames');
  return frames === undefined ? undefined : knownDimensions(frames).at(-3);
}

/** Of a tensor whose shape is said: its dimensions, without the one of batching servers. */
function knownDimensions(tensor: TensorMetadata): readonly number[] {
  const rule: TensorRule = tensor.name === 'goal' ? INPUTS.goal : INPUTS.frames;
  return isBatched(tensor, rule) ? tensor.shape.slice(1) : tensor.shape;
}

function fixed(lengths: readonly (number | undefined)[]): number | null {
  return lengths.find((length) => length !== undefined && length !== -1) ?? null;
}
