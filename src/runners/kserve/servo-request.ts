import type { RunParameters } from '../runner.port.js';
import { type InputForm, type InputName, INPUTS, type ModelBinding } from './model-contract.js';
import { isNumericDatatype, numericTensor, textTensor, type Datatype, type InputTensor } from './tensor.js';

/** Frames of one size, in the order of the video, at least one. */
export interface FrameBatch {
  /** Places in the current video. */
  indices: readonly number[];
  width: number;
  height: number;
  /** Grey, frame by frame, row-major: indices.length × height × width bytes. */
  pixels: Uint8Array;
}

export interface GoalPicture {
  width: number;
  height: number;
  gray: Uint8Array;
}

/** The inputs that the model wants of a batch, each as the model wants it. */
export function servoInputs(
  { inputs }: ModelBinding,
  goal: GoalPicture,
  batch: FrameBatch,
  parameters: Pick<RunParameters, 'intrinsics' | 'distance' | 'detector' | 'policy'>,
): InputTensor[] {
  const { fx, fy, cx, cy } = parameters.intrinsics;
  const content: Readonly<Record<InputName, Uint8Array | readonly number[] | string>> = {
    goal: goal.gray,
    frames: batch.pixels,
    frame_index: batch.indices,
    intrinsics: [fx, fy, cx, cy],
    distance: [parameters.distance],
    detector: parameters.detector,
    policy: parameters.policy,
  };
  const lengths = { frames: batch.indices.length };
  return [...inputs].map(([name, { datatype, isBatched }]) => {
    const size = name === 'goal' ? goal : batch;
    const dimensions: readonly (number | 'frames' | 'height' | 'width')[] = INPUTS[name].dimensions;
    const shape = dimensions.map((length) => (typeof length === 'number' ? length : { ...lengths, ...size }[length]));
    return toTensor(name, { datatype, isBatched }, shape, content[name]);
  });
}

function toTensor(
  name: InputName,
  { datatype, isBatched }: InputForm,
  dimensions: readonly number[],
  content: Uint8Array | readonly number[] | string,
): InputTensor {
  const shape = isBatched ? [1, ...dimensions] : dimensions;
  if (typeof content === 'string') return textTensor(name, shape, [content]);
  if (content instanceof Uint8Array) return { name, datatype, shape, raw: content };
  return numericTensor(name, numeric(datatype), shape, content);
}

function numeric(datatype: Datatype) {
  if (isNumericDatatype(datatype)) return datatype;
  throw new TypeError(`Numbers cannot be sent as ${datatype}`);
}
