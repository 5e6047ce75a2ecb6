import type { JobStatus } from '../../contract/inference.contract.js';
import type { Sample } from '../../runners/servo-sample.js';
import type { TourOutcome } from './tour.js';
import { magnitude, medianAngle } from '../../runners/velocity-angle.js';

/** m/s and rad/s; the reference implementation of the control law ends below it on the same video. */
const REST = 5e-3;
const LARGEST_MEDIAN_ANGLE = 2;
const ORDER: readonly JobStatus[] = ['PENDING', 'RUNNING', 'COMPLETED'];

/** What is wrong with the outcome, one line each; empty when everything worked. */
export function findProblems(outcome: TourOutcome, sample: Sample): string[] {
  return [...resultProblems(outcome, sample), ...eventProblems(outcome), ...creditProblems(outcome)];
}

function resultProblems({ result, expectedRows, archive }: TourOutcome, sample: Sample): string[] {
  const { velocity, frames } = result;
  if (velocity.length !== expectedRows || frames.length !== expectedRows) {
    return [`The result has ${velocity.length} rows and ${frames.length} reports instead of ${expectedRows}.`];
  }
  if (!velocity.flat().every(Number.isFinite)) return ['A velocity is not a finite number.'];
  const problems: string[] = [];
  const last = magnitude(velocity[velocity.length - 1]);
  if (last > REST) problems.push(`At the goal pose |v| is ${last.toFixed(4)}, not next to zero.`);
  const rows = frames.map(({ frame }, row) => ({ frame, velocity: velocity[row] }));
  const angle = medianAngle(rows, sample.truth, sample.distance);
  if (angle === null || angle > LARGEST_MEDIAN_ANGLE) {
    problems.push(`The velocities point elsewhere than the true ones (median ${angle?.toFixed(1) ?? 'unknown'}°).`);
  }
  for (const name of ['velocity.csv', 'velocity.svg', 'result.json']) {
    if (!archive.names.includes(name)) problems.push(`The ZIP holds no ${name}.`);
  }
  return problems;
}

function eventProblems({ events }: TourOutcome): string[] {
  const problems: string[] = [];
  if (!events.every((event, index) => event.seq === index + 1)) {
    problems.push(`The events are not numbered 1 to ${events.length}: ${events.map(({ seq }) => seq).join(', ')}.`);
  }
  const statuses = events.map(({ data }) => data.status);
  const changes = statuses.filter((status, index) => status !== statuses[index - 1]);
  if (changes.join() !== ORDER.join())
    problems.push(`The job went ${changes.join(' → ')} instead of ${ORDER.join(' → ')}.`);
  return problems;
}

function creditProblems({ credits: { before, goal, current, after } }: TourOutcome): string[] {
  const spent = before - after;
  if (spent === goal + current) return [];
  return [
    `The account went from ${before} to ${after} credits, but ${goal + current} were to be paid for the uploads.`,
  ];
}
