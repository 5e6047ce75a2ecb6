import { setTimeout as delay } from 'node:timers/promises';

import type { KserveFault } from './kserve-faults.js';

/** A tensor as the scripted server sees it, whatever carried it. */
export interface ServedTensor {
  name: string;
  datatype: string;
  shape: number[];
  /** Little-endian, row-major. */
  raw: Buffer;
}

export interface ServedRequest {
  id: string;
  parameters: Record<string, unknown>;
  inputs: ServedTensor[];
  outputs: string[];
}

/** Numbers or texts; the transports write them in their own way. */
export interface ServedOutput {
  name: string;
  datatype: 'FP64' | 'INT32' | 'BYTES';
  shape: number[];
  values: (number | string)[];
}

/** A request as tests look at it. */
export interface SeenRequest {
  id: string;
  parameters: Record<string, unknown>;
  frames: number[];
  goalShape: number[];
  framesShape: number[];
  intrinsics: number[];
  distance: number;
  detector: string;
  policy: string;
  /** Bytes of all tensors. */
  bytes: number;
  encoding: 'binary' | 'json' | 'grpc';
}

export interface ScriptedModelOptions {
  /** Milliseconds each frame takes; default 0. */
  msPerFrame?: number;
  /** Default: a small value that depends on the frame. */
  velocity?: (frame: number) => number[];
  /** It counts the frames of a sequence, answers with the count, and refuses what comes out of turn. */
  remembers?: boolean;
  /** Says of these frames that nothing could be made of them. */
  problemFrames?: readonly number[];
  /** What it says of its own work with each answer. */
  reports?: Readonly<Record<string, string | number>>;
}

/** The model refuses, as a status of either transport. */
export class ModelRefusal extends Error {
  constructor(
    readonly kind: 'unusable' | 'bad-request' | 'internal' | 'full' | 'full-silent',
    message: string,
  ) {
    super(message);
  }
}

/** A model that computes nothing: velocities by script, counts that are plausible. */
export class ScriptedModel {
  readonly seen: SeenRequest[] = [];
  /** Frames seen of each sequence that has not ended. */
  readonly sequences = new Map<unknown, number>();
  inFlight = 0;
  peak = 0;

  constructor(private readonly options: ScriptedModelOptions) {}

  /** @throws ModelRefusal */
  async infer(
    request: ServedRequest,
    encoding: SeenRequest['encoding'],
    fault: KserveFault | undefined,
    signal: AbortSignal,
  ): Promise<ServedOutput[]> {
    refuse(fault);
    const seen = asSeen(request, encoding);
    this.seen.push(seen);
    this.peak = Math.max(this.peak, ++this.inFlight);
    try {
      const first = this.options.remembers === true ? this.remember(seen) : null;
      await delay((this.options.msPerFrame ?? 0) * seen.frames.length, undefined, { signal });
      return distort(this.outputs(seen, first), fault).filter(
        ({ name }) => request.outputs.length === 0 || request.outputs.includes(name),
      );
    } finally {
      this.inFlight--;
    }
  }

  get reports(): Readonly<Record<string, string | number>> {
    return this.options.reports ?? {};
  }

  private remember({ parameters, frames }: SeenRequest): number {
    const { sequence_id: id, sequence_start: isStart, sequence_end: isEnd } = parameters;
    if (isStart === true) this.sequences.set(id, 0);
    const count = this.sequences.get(id);
    if (count === undefined) throw new ModelRefusal('bad-request', 'The sequence has not begun.');
    if (isEnd === true) this.sequences.delete(id);
    else this.sequences.set(id, count + frames.length);
    return count;
  }

  private outputs({ frames }: SeenRequest, firstCount: number | null): ServedOutput[] {
    const { velocity = smallVelocity, problemFrames = [] } = this.options;
    const rows = frames.map((frame, place) =>
      firstCount === null ? velocity(frame) : countVelocity(firstCount + place),
    );
    const count = frames.length;
    const ofEach = (value: number) => frames.map(() => value);
    return [
      { name: 'velocity', datatype: 'FP64', shape: [count, 6], values: rows.flat() },
      { name: 'keypoints', datatype: 'INT32', shape: [count], values: ofEach(500) },
      { name: 'matches', datatype: 'INT32', shape: [count], values: ofEach(200) },
      { name: 'inliers', datatype: 'INT32', shape: [count], values: ofEach(150) },
      { name: 'feature_error_px', datatype: 'FP64', shape: [count], values: ofEach(3.5) },
      {
        name: 'problem',
        datatype: 'BYTES',
        shape: [count],
        values: frames.map((frame) => (problemFrames.includes(frame) ? 'too-few-matches' : '')),
      },
      { name: 'goal_keypoints', datatype: 'INT32', shape: [1], values: [400] },
    ];
  }
}

export function smallVelocity(frame: number): number[] {
  return [0.01 * frame, 0, 0, 0, 0, 0.001 * frame];
}

/** What a model that remembers says to the frame before which it has seen so many. */
export function countVelocity(count: number): number[] {
  return [count, 0, 0, 0, 0, 1];
}

function refuse(fault: KserveFault | undefined): void {
  if (fault === 'unusable-input') throw new ModelRefusal('unusable', 'unusable-input: The goal shows nothing.');
  if (fault === 'bad-request') throw new ModelRefusal('bad-request', 'unexpected shape for input');
  if (fault === 'internal-error') throw new ModelRefusal('internal', 'Traceback (most recent call last)');
  if (fault === 'full') throw new ModelRefusal('full', 'too many requests');
  if (fault === 'full-silent') throw new ModelRefusal('full-silent', 'Exceeds maximum queue size');
}

function distort(outputs: ServedOutput[], fault: KserveFault | undefined): ServedOutput[] {
  const [velocity, ...others] = outputs;
  const count = velocity.shape[0];
  const changed = (change: Partial<ServedOutput>) => [{ ...velocity, ...change }, ...others];
  switch (fault) {
    case 'no-velocity':
      return others;
    case 'too-few-rows':
      return changed({ shape: [count - 1, 6], values: velocity.values.slice(6) });
    case 'five-numbers':
      return changed({ shape: [count, 5], values: velocity.values.slice(count) });
    case 'texts-for-numbers':
      return changed({ datatype: 'BYTES', values: velocity.values.map(String) });
    case 'wrong-length':
      return changed({ shape: [count + 1, 6] });
    case 'nan':
      return changed({ values: [NaN, ...velocity.values.slice(1)] });
    case 'unknown-problem':
      return outputs.map((output) =>
        output.name === 'problem' ? { ...output, values: output.values.map(() => 'bored') } : output,
      );
    case 'huge-answer':
      return changed({ shape: [200_000, 6], values: Array.from({ length: 1_200_000 }, () => 0.123456789) });
    default:
      return outputs;
  }
}

function asSeen({ id, parameters, inputs }: ServedRequest, encoding: SeenRequest['encoding']): SeenRequest {
  const find = (name: string) => inputs.find((input) => input.name === name);
  const input = (name: string): ServedTensor => {
    const tensor = find(name);
    if (tensor === undefined) throw new ModelRefusal('bad-request', `input "${name}" is missing`);
    return tensor;
  };
  const frames = input('frames');
  const goal = input('goal');
  for (const { name, shape, raw } of [frames, goal]) {
    const wanted = shape.reduce((product, length) => product * length, 1);
    if (raw.length !== wanted) throw new ModelRefusal('bad-request', `input "${name}" has ${raw.length} bytes`);
  }
  const index = input('frame_index').raw;
  const intrinsics = input('intrinsics').raw;
  return {
    id,
    parameters,
    frames: Array.from({ length: index.length / 4 }, (_, place) => index.readInt32LE(place * 4)),
    goalShape: goal.shape,
    framesShape: frames.shape,
    intrinsics: [0, 1, 2, 3].map((place) => intrinsics.readDoubleLE(place * 8)),
    distance: input('distance').raw.readDoubleLE(0),
    detector: input('detector').raw.subarray(4).toString(),
    policy: input('policy').raw.subarray(4).toString(),
    bytes: inputs.reduce((sum, { raw }) => sum + raw.length, 0),
    encoding,
  };
}
