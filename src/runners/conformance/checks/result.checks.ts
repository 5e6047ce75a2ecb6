import type { DetectorName } from '../../detector.js';
import type { RunResult } from '../../runner.port.js';
import { magnitude, medianAngle } from '../../velocity-angle.js';
import { expect, NotApplicable, type Bench, type Check } from '../check.js';
import { readResultArchive } from './archive-content.js';
import { expectResultOf } from './expectations.js';

/** Beyond it the numbers point elsewhere: axes, frames or signs are mixed up. */
const PLAUSIBLE_DEGREES = 45;
/** At the goal pose nothing is left to move; outliers and rounding are. */
const PLAUSIBLE_REST_SHARE = 0.1;
/** What a careful matching reaches on a plane, median over the frames. */
const PRECISE_DEGREES: Readonly<Record<DetectorName, number>> = { SIFT: 2, AKAZE: 3, KAZE: 3, BRISK: 8, ORB: 8 };
const PRECISE_REST = 5e-3;
const STEP = 4;

/** Complete results with the right numbers in them. */
export const resultChecks: readonly Check[] = [
  {
    name: 'rows',
    title: 'returns one finite row per processed frame',
    severity: 'required',
    async run(bench) {
      // The last processed frame is not the last that may be.
      const input = bench.scene.job({ parameters: { startFrame: 7, endFrame: 26, frameStep: 6 } });
      const result = await bench.run(input);
      expectResultOf(input, result);
      return result.message === '' ? '4 rows' : `4 rows: ${result.message}`;
    },
  },
  {
    name: 'single-frame',
    title: 'processes a single frame',
    severity: 'required',
    async run(bench) {
      const input = bench.scene.job({ parameters: { startFrame: 20, endFrame: 20, frameStep: 1 } });
      expectResultOf(input, await bench.run(input));
      return '1 row';
    },
  },
  {
    name: 'velocities',
    title: 'computes velocities that lead to the goal',
    severity: 'required',
    async run(bench) {
      const { degrees, restShare } = await measureScene(bench);
      expect(
        degrees <= PLAUSIBLE_DEGREES,
        `The velocities point ${degrees.toFixed(0)}° away from the true ones in the median frame.`,
      );
      expect(
        restShare <= PLAUSIBLE_REST_SHARE,
        `At the goal pose the velocity is still ${(100 * restShare).toFixed(0)} % of the first one.`,
      );
      return `${degrees.toFixed(2)}° from the true ones in the median frame`;
    },
  },
  {
    name: 'precision',
    title: 'computes them precisely',
    severity: 'optional',
    async run(bench) {
      const { degrees, rest, detector } = await measureScene(bench);
      const limit = PRECISE_DEGREES[detector];
      expect(degrees <= limit, `${degrees.toFixed(2)}° with ${detector}, where ${limit}° can be had.`);
      expect(rest <= PRECISE_REST, `|v| is ${rest.toFixed(4)} at the goal pose, where ${PRECISE_REST} can be had.`);
      return `${degrees.toFixed(2)}° with ${detector} (at most ${limit}°); |v| ${rest.toFixed(4)} at the goal pose`;
    },
  },
  {
    name: 'archive',
    title: 'hands over a ZIP that is whole',
    severity: 'required',
    async run(bench) {
      const input = bench.scene.job();
      await bench.run(input);
      const { names, bytes } = await readResultArchive(input.archivePath);
      expect(names.length > 0, 'The ZIP is empty.');
      return `${names.length} ${names.length === 1 ? 'entry' : 'entries'}, ${bytes} bytes`;
    },
  },
  {
    name: 'archive-content',
    title: 'puts velocity.csv and result.json into it',
    severity: 'optional',
    async run(bench) {
      const input = bench.scene.job();
      const { velocity } = await bench.run(input);
      const { names, texts } = await readResultArchive(input.archivePath);
      const [csv, json] = [texts.get('velocity.csv'), texts.get('result.json')];
      expect(csv !== undefined && json !== undefined, `The ZIP holds ${names.join(', ')}.`);
      const lines = csv.trim().split(/\r?\n/);
      expect(
        lines.length === velocity.length + 1,
        `velocity.csv has ${lines.length} lines for ${velocity.length} rows.`,
      );
      expect(isJson(json), 'result.json is no JSON.');
      return names.join(', ');
    },
  },
  {
    name: 'frame-counts',
    title: 'counts keypoints, matches and inliers',
    severity: 'optional',
    async run(bench) {
      const { frames, goal } = await bench.run(bench.scene.job());
      const counts = frames.flatMap(({ keypoints, matches, inliers }) => [keypoints, matches, inliers]);
      const told = [goal.keypoints, ...counts].filter((count) => count !== null);
      if (told.length === 0) throw new NotApplicable('It tells no counts.');
      const wrong = told.find((count) => !Number.isInteger(count) || count < 0);
      expect(wrong === undefined, `${wrong ?? ''} is no count.`);
      return goal.keypoints === null ? 'of frames' : `${goal.keypoints} keypoints on the goal frame`;
    },
  },
  {
    name: 'usage',
    title: 'reports the energy it used',
    severity: 'optional',
    async run(bench) {
      const { usage } = await bench.run(bench.scene.job());
      const parts = [usage.energy?.cpuWh, usage.energy?.gpuWh, usage.energy?.memoryWh];
      const known = parts.filter((part): part is number => typeof part === 'number');
      if (usage.energy === null || known.length === 0) {
        throw new NotApplicable('It reports no energy; the platform estimates it.');
      }
      expect(
        known.every((part) => Number.isFinite(part) && part >= 0),
        `It reports ${known.join(', ')} Wh.`,
      );
      const sum = known.reduce((total, part) => total + part, 0);
      return `${sum.toPrecision(2)} Wh, ${usage.energy.method}: ${usage.energy.source}`;
    },
  },
  {
    name: 'device',
    title: 'takes a job that wants a GPU, and tells what it ran on',
    severity: 'required',
    async run(bench) {
      const input = bench.scene.job({ parameters: { useGpus: true } });
      const result = await bench.run(input);
      expectResultOf(input, result);
      const warning = result.device === 'cpu' ? result.warnings.at(0) : undefined;
      return [result.device.toUpperCase(), ...(warning === undefined ? [] : [warning])].join(': ');
    },
  },
  {
    name: 'same-job-again',
    title: 'runs a job again that it has run before',
    severity: 'required',
    async run(bench) {
      const first = bench.scene.job();
      const before = await bench.run(first);
      const second = bench.scene.job({ jobId: first.jobId, attempt: 2 });
      const after = await bench.run(second);
      expectResultOf(second, after);
      const difference = largestDifference(before.velocity, after.velocity);
      return difference === 0 ? 'the same numbers' : `the numbers differ by up to ${difference.toPrecision(2)}`;
    },
  },
];

interface SceneMeasure {
  detector: DetectorName;
  /** Median over the frames that move. */
  degrees: number;
  /** |v| in the last frame, which shows the goal pose. */
  rest: number;
  restShare: number;
}

async function measureScene(bench: Bench): Promise<SceneMeasure> {
  const { scene } = bench;
  if (scene.modelName !== 'cns') {
    throw new NotApplicable(`Nobody knows what the model "${scene.modelName}" should compute.`);
  }
  const { sample, preciseDetector: detector } = scene;
  const endFrame = sample.currentFrames - 1;
  const startFrame = endFrame % STEP;
  const input = scene.job({ parameters: { startFrame, endFrame, frameStep: STEP, detector } });
  const result = await bench.run(input);
  expectResultOf(input, result);
  const { velocity, frames }: RunResult = result;
  const rows = frames.map(({ frame }, place) => ({ frame, velocity: velocity[place] }));
  const degrees = medianAngle(rows, sample.truth, sample.distance) ?? NaN;
  const rest = magnitude(velocity[velocity.length - 1]);
  return { detector, degrees, rest, restShare: rest / magnitude(sample.truth[startFrame]) };
}

function largestDifference(a: readonly number[][], b: readonly number[][]): number {
  return Math.max(...a.flatMap((row, k) => row.map((value, axis) => Math.abs(value - b[k][axis]))));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
