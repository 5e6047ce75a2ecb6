import { RunnerProtocolError } from '../runner.errors.js';
import { FRAME_PROBLEMS, type FrameProblem, type FrameReport } from '../runner.port.js';
import type { InferenceAnswer } from './inference.client.js';
import { OUTPUTS, type OutputName } from './model-contract.js';
import type { OutputTensor } from './tensor.js';

const ROW_LENGTH = OUTPUTS.velocity.dimensions[1];

export interface ServoRows {
  /** One row of six finite numbers per frame of the batch. */
  velocity: number[][];
  frames: FrameReport[];
  /** Null where the model does not say. */
  goalKeypoints: number | null;
}

/**
 * What a model says of a batch.
 *
 * @param indices frames of the batch
 * @param peer who answered, as a sentence begins
 * @throws RunnerProtocolError wrong-shape, wrong-row-count, non-finite
 */
export function readServoAnswer(answer: InferenceAnswer, indices: readonly number[], peer: string): ServoRows {
  const reader = new AnswerReader(answer, indices.length, peer);
  const velocity = reader.velocity();
  const keypoints = reader.counts('keypoints');
  const matches = reader.counts('matches');
  const inliers = reader.counts('inliers');
  const errors = reader.errors();
  const problems = reader.problems();
  return {
    velocity: velocity.map((row, place) => (problems[place] === null ? row : row.map(() => 0))),
    frames: indices.map((frame, place) => ({
      frame,
      keypoints: keypoints[place],
      matches: matches[place],
      inliers: inliers[place],
      featureErrorPx: errors[place],
      problem: problems[place],
    })),
    goalKeypoints: reader.goalKeypoints(),
  };
}

class AnswerReader {
  constructor(
    private readonly answer: InferenceAnswer,
    private readonly frameCount: number,
    private readonly peer: string,
  ) {}

  velocity(): number[][] {
    const values = this.numbers('velocity');
    if (values === null) throw this.breach('wrong-shape', 'answers without the output "velocity"');
    const shape = this.output('velocity')?.shape ?? [];
    if (shape.at(-1) !== ROW_LENGTH) {
      throw this.breach('wrong-shape', `answers with velocities of the shape [${shape.join(', ')}]`);
    }
    if (values.length !== this.frameCount * ROW_LENGTH) {
      const rows = `${values.length / ROW_LENGTH} rows of velocity for ${this.frameCount} frames`;
      throw this.breach('wrong-row-count', `answers with ${rows}`);
    }
    if (!values.every(Number.isFinite)) throw this.breach('non-finite', 'answers with velocities that are no numbers');
    return Array.from({ length: this.frameCount }, (_, row) => values.slice(row * ROW_LENGTH, (row + 1) * ROW_LENGTH));
  }

  counts(name: 'keypoints' | 'matches' | 'inliers'): (number | null)[] {
    const values = this.perFrame(name, this.numbers(name));
    if (values.some((value) => value !== null && !isCount(value))) throw this.noCounts(name);
    return values;
  }

  goalKeypoints(): number | null {
    const values = this.numbers('goal_keypoints');
    if (values === null) return null;
    if (values.length !== 1 || !isCount(values[0])) throw this.noCounts('goal_keypoints');
    return values[0];
  }

  /** A frame without inliers has no error: servers say so by NaN, or by a negative number. */
  errors(): (number | null)[] {
    const values = this.perFrame('feature_error_px', this.numbers('feature_error_px'));
    return values.map((value) => (value !== null && Number.isFinite(value) && value >= 0 ? value : null));
  }

  problems(): (FrameProblem | null)[] {
    const output = this.output('problem');
    const texts = this.perFrame('problem', output === null ? null : output.values.map(String));
    return texts.map((text) => {
      if (text === null || text === '') return null;
      const problem = FRAME_PROBLEMS.find((known) => known === text);
      if (problem !== undefined) return problem;
      throw this.breach('wrong-shape', `names a problem "${text.slice(0, 40)}" that does not exist`);
    });
  }

  private perFrame<Value>(name: OutputName, values: readonly Value[] | null): (Value | null)[] {
    if (values === null) return Array.from({ length: this.frameCount }, () => null);
    if (values.length === this.frameCount) return [...values];
    const counts = `${values.length} values of "${name}" for ${this.frameCount} frames`;
    throw this.breach('wrong-row-count', `answers with ${counts}`);
  }

  private numbers(name: OutputName): number[] | null {
    const output = this.output(name);
    if (output === null) return null;
    return output.values.map((value) => {
      if (typeof value === 'number') return value;
      throw this.breach('wrong-shape', `answers with texts as the output "${name}"`);
    });
  }

  private output(name: OutputName): OutputTensor | null {
    return this.answer.outputs.find((output) => output.name === name) ?? null;
  }

  private noCounts(name: OutputName): RunnerProtocolError {
    return this.breach('wrong-shape', `answers with values of "${name}" that count nothing`);
  }

  private breach(reason: RunnerProtocolError['reason'], words: string): RunnerProtocolError {
    return new RunnerProtocolError(reason, `${this.peer} ${words}.`);
  }
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
