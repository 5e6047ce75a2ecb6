import { execFileSync } from 'node:child_process';
import os from 'node:os';
import type { GoalDistance } from '../../src/runners/trajectory.js';
import { median } from '../../tests/support/velocity-difference.js';
import type { Difference } from './accuracy.js';
import type { Approach } from './approach.js';
import type { EngineSample } from './engine-program.js';
import type { ReferenceSample } from './reference-program.js';

/** One round: both programs on the same job. */
export interface Measurement {
  engine: EngineSample;
  /** Null when no reference program is at hand. */
  reference: ReferenceSample | null;
}

export interface Row {
  caseName: string;
  detector: string;
  policy: string;
  measurements: Measurement[];
  /** To the reference with exact matching. */
  toReference: Difference | null;
  /** To velocities from the true positions of the same keypoints. */
  toExact: Difference | null;
  /** The published front end's own difference to those. */
  publishedToExact: Difference | null;
  /** Where a camera comes to that follows the velocities; null where the true poses are not known. */
  approach: Approach | null;
  ratio: { median: number; lowest: number; highest: number } | null;
}

export interface Report {
  rows: Row[];
  notes: string[];
  rounds: number;
  /** The core that everything ran on; null when it was not bound to one. */
  pinnedTo: string | null;
  hasReference: boolean;
}

/** Two Markdown tables, speed and accuracy, under a line that says where and when they were measured. */
export function renderReport(report: Report): string {
  const { rows, notes, rounds, pinnedTo, hasReference } = report;
  const bound = pinnedTo === null ? 'not bound to a core' : `everything bound to core ${pinnedTo}`;
  const parts = [
    `${os.cpus()[0].model}, ${os.cpus().length} cores, Node ${process.version}, commit ${commit()}, ` +
      `load ${os.loadavg()[0].toFixed(1)}, ${rounds} rounds, medians, ${bound}.`,
    ...(hasReference
      ? []
      : ['The reference program is not at hand: its speed is not known, its stored velocities are used.']),
    ...notes,
    '## Speed',
    'Frames per second of a whole job (decoding, goal, all frames) with a warm engine; ratio: ours to the reference in the ' +
      'same round, median and range. Memory: greatest resident memory of all processes of each, MiB.',
    table(
      ['Case', 'Detector', 'Policy', 'Ours', 'Reference', 'Ratio', 'Range', 'Memory ours', 'Memory reference'],
      rows.map(speedCells),
    ),
    '## Accuracy',
    'Over the moving frames. To the reference with exact matching: length of the difference relative to its velocity, angle ' +
      '(rotation weighed by the distance prior) and cosine. To the exact velocity of the same keypoints: angle and deviation ' +
      'of the length; last column: the median angle of the published front end to it.',
    table(
      [
        'Case',
        'Detector',
        'Policy',
        'Frames without velocity',
        'Median relative',
        'Max relative',
        'Median angle °',
        'Max angle °',
        'Median cosine',
        'Exact: median angle °',
        'Exact: max angle °',
        'Exact: length',
        'Published: median angle °',
      ],
      rows.map(accuracyCells),
    ),
    '## Trajectories',
    'Distance to the goal pose of a camera that starts where the video does and follows the velocities of all its frames ' +
      '(gain 1, each for the time to the next frame), ours and those of the reference with exact matching.',
    table(
      ['Case', 'Detector', 'Policy', 'Start m', 'Start °', 'Ours m', 'Ours °', 'Reference m', 'Reference °'],
      rows.map(approachCells),
    ),
  ];
  return parts.map((part) => `${part}\n`).join('\n');
}

function speedCells({ caseName, detector, policy, measurements, ratio }: Row): string[] {
  const references = measurements.flatMap(({ reference }) => (reference === null ? [] : [reference]));
  const memory = (samples: { peakBytes: number }[]) =>
    (Math.max(...samples.map(({ peakBytes }) => peakBytes)) / 2 ** 20).toFixed(0);
  return [
    caseName,
    detector,
    policy,
    median(measurements.map(({ engine }) => engine.framesPerSecond)).toFixed(1),
    references.length === 0 ? 'not run' : median(references.map((sample) => sample.framesPerSecond)).toFixed(1),
    ratio === null ? 'not run' : ratio.median.toFixed(2),
    ratio === null ? 'not run' : `${ratio.lowest.toFixed(2)}–${ratio.highest.toFixed(2)}`,
    memory(measurements.map(({ engine }) => engine)),
    references.length === 0 ? 'not run' : memory(references),
  ];
}

function accuracyCells({ caseName, detector, policy, toReference, toExact, publishedToExact }: Row): string[] {
  const number = (value: number | undefined, digits: number) => (value === undefined ? '' : value.toFixed(digits));
  return [
    caseName,
    detector,
    policy,
    toReference === null ? '' : `${toReference.missing} of ${toReference.frames}`,
    number(toReference?.medianRelative, 3),
    number(toReference?.maximumRelative, 3),
    number(toReference?.medianAngle, 2),
    number(toReference?.maximumAngle, 2),
    number(toReference?.medianCosine, 4),
    number(toExact?.medianAngle, 2),
    number(toExact?.maximumAngle, 2),
    toExact === null ? '' : `${(toExact.medianMagnitude * 100).toFixed(2)} %`,
    number(publishedToExact?.medianAngle, 2),
  ];
}

function approachCells({ caseName, detector, policy, approach }: Row): string[] {
  const cells = (distance: GoalDistance | null | undefined) =>
    distance ? [distance.metres.toFixed(4), distance.degrees.toFixed(2)] : ['', ''];
  const { start, ours, reference } = approach ?? {};
  return [caseName, detector, policy, ...cells(start), ...cells(ours), ...cells(reference)];
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
