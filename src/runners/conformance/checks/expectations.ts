import { access } from 'node:fs/promises';

import { RunnerError } from '../../runner.errors.js';
import { FRAME_PROBLEMS, type RunInput, type RunResult } from '../../runner.port.js';
import { expect, Nonconformity } from '../check.js';

/** The frames that a job processes, in order. */
export function framesOf({ parameters: { startFrame, endFrame, frameStep } }: RunInput): number[] {
  const count = Math.floor((endFrame - startFrame) / frameStep) + 1;
  return Array.from({ length: count }, (_, k) => startFrame + k * frameStep);
}

/** @throws Nonconformity unless the result has one row of six finite numbers and one report for each processed frame */
export function expectResultOf(input: RunInput, { velocity, frames, goal, usage }: RunResult): void {
  const expected = framesOf(input);
  expect(
    velocity.length === expected.length,
    `The result has ${velocity.length} rows for ${expected.length} processed frames.`,
  );
  for (const [place, row] of velocity.entries()) {
    expect(row.length === 6, `Row ${place} has ${row.length} numbers instead of six.`);
    expect(row.every(Number.isFinite), `Row ${place} holds a number that is not finite: [${row.join(', ')}].`);
  }
  const reported = frames.map(({ frame }) => frame);
  expect(
    reported.join() === expected.join(),
    `It reports on the frames ${list(reported)} instead of ${list(expected)}.`,
  );
  const problem = frames.find((frame) => frame.problem !== null && !FRAME_PROBLEMS.includes(frame.problem));
  expect(problem === undefined, `Nobody knows the problem "${problem?.problem ?? ''}" of a frame.`);
  expect(
    goal.frame === input.parameters.goalFrameId,
    `It took frame ${goal.frame} for the goal instead of ${input.parameters.goalFrameId}.`,
  );
  const isTime = (seconds: number): boolean => Number.isFinite(seconds) && seconds >= 0;
  expect(
    isTime(usage.wallSeconds) && isTime(usage.cpuSeconds) && isTime(usage.gpuSeconds),
    'The seconds that it used are not numbers from zero upwards.',
  );
}

/** @throws Nonconformity when there is a file */
export async function expectNothingAt(path: string): Promise<void> {
  try {
    await access(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  throw new Nonconformity('A part of an archive is left behind.');
}

/** @returns what the job was rejected with; null when it completed */
export function failureOf(job: Promise<RunResult>): Promise<Error | null> {
  return job.then(
    () => null,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error), { cause: error })),
  );
}

type Rejection = new (...parameters: never[]) => RunnerError;

/** @returns the error of the job, which is of the wanted class. @throws Nonconformity when the job ends otherwise */
export async function expectRejection<Wanted extends Rejection>(
  job: Promise<RunResult>,
  wanted: Wanted,
): Promise<InstanceType<Wanted>> {
  return expectClass(await failureOf(job), wanted);
}

/** @param failure of a job; null when it completed. @throws Nonconformity unless it is of the wanted class */
export function expectClass<Wanted extends Rejection>(failure: Error | null, wanted: Wanted): InstanceType<Wanted> {
  if (failure instanceof wanted) return failure as InstanceType<Wanted>;
  if (failure === null) throw new Nonconformity(`The job completed instead of ending with ${wanted.name}.`);
  throw new Nonconformity(`The job ended with ${describeError(failure)} instead of ${wanted.name}.`, {
    cause: failure,
  });
}

/** For people: the class of the error with its code and message. */
export function describeError(error: unknown): string {
  if (error instanceof RunnerError) return `${error.name} (${error.code}): ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function list(frames: readonly number[]): string {
  return frames.length <= 8 ? `[${frames.join(', ')}]` : `[${frames.slice(0, 8).join(', ')}, …]`;
}
