/**
 * The golden cases through the embedded engine and through real model servers, one job for each:
 *
 *   node --import tsx benchmarks/model-servers.ts name=url …
 *
 * A name that begins with `kserve` is that of such a server, also where its address would suit another kind.
 * Compared are velocities with those of the reference (OpenCV in Python, matches that hold under a homography), over the
 * frames that move, and with those of the embedded engine. Prints a table in Markdown.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { kindAt } from '../src/cli/runner/test-options.js';
import { createEmbeddedRunner } from '../src/runners/embedded/embedded.runner.js';
import type { RunResult, Runner } from '../src/runners/runner.port.js';
import { createRunner } from '../src/runners/runner.registry.js';
import { loadGoldenCase } from '../tests/support/golden-case.js';
import { loadGoldenReference, REFERENCE_DETECTORS, type ReferenceDetector } from '../tests/support/golden-reference.js';
import { buildRunInput, runContext } from '../tests/support/runner-jobs.js';
import { silentLogger } from '../tests/support/silent-logger.js';
import { magnitude, median, relativeDifference } from '../tests/support/velocity-difference.js';

const CASES = ['dev-a-translate-xy', 'dev-b-roll', 'dev-c-mixed6dof'];
const STEP = 3;
/** Of the first true velocity: frames that move less have no direction worth comparing. */
const MOVING_SHARE = 0.05;
/** Largest median difference from the reference. */
const LIMITS: Readonly<Record<ReferenceDetector, number>> = { SIFT: 0.05, AKAZE: 0.05, ORB: 0.2 };
/** |v| in the last frame, which rests at the goal pose. */
const REST = 5e-3;

interface Subject {
  name: string;
  runner: Runner;
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-golden-'));

function realServer(argument: string): Subject {
  const [name, address = ''] = argument.split(/=(.*)/s);
  const url = new URL(address);
  const kind = kindAt(url, name.startsWith('kserve') ? 'kserve' : undefined);
  return { name, runner: createRunner(kind, { name, url, slots: 1, logger: silentLogger }) };
}

async function runCase(runner: Runner, name: string, detector: ReferenceDetector): Promise<RunResult> {
  const golden = await loadGoldenCase(name);
  const endFrame = golden.currentFrameCount - 1;
  // The last frame is among them.
  const parameters = { startFrame: endFrame % STEP, endFrame, frameStep: STEP, detector };
  const input = buildRunInput(golden, folder, { parameters });
  const result = await runner.run(input, runContext());
  await rm(input.archivePath);
  return result;
}

const percent = (share: number): string => (100 * share).toFixed(share < 0.01 ? 2 : 1);

const subjects: Subject[] = [
  { name: 'embedded', runner: createEmbeddedRunner({ logger: silentLogger, processes: 1, version: '0.0.0' }) },
  ...process.argv.slice(2).map(realServer),
];
let isWithin = true;
try {
  process.stdout.write(
    '| Case | Detector | Runner | from the reference, % | from embedded, % | last \\|v\\| | s |\n' +
      '| --- | --- | --- | --: | --: | --: | --: |\n',
  );
  for (const name of CASES) {
    const { ideal, detectors } = await loadGoldenReference(name);
    const moves = (frame: number): boolean =>
      magnitude(ideal.ibvs_grid[frame]) > MOVING_SHARE * magnitude(ideal.ibvs_grid[0]);
    for (const detector of REFERENCE_DETECTORS) {
      const reference = detectors[detector]?.robust?.ibvs;
      if (reference === undefined) throw new Error(`${name} has no reference for ${detector}.`);
      let ours: readonly number[][] | null = null;
      for (const { name: subject, runner } of subjects) {
        const { velocity, frames, usage } = await runCase(runner, name, detector);
        const places = frames.flatMap(({ frame }, place) => (moves(frame) ? [place] : []));
        const difference = median(places.map((k) => relativeDifference(velocity[k], reference[frames[k].frame])));
        ours ??= velocity;
        const own = ours;
        const fromOurs = median(places.map((k) => relativeDifference(velocity[k], own[k])));
        const rest = magnitude(velocity[velocity.length - 1]);
        isWithin &&= difference <= LIMITS[detector] && rest <= REST;
        const cells = [name, detector, subject, percent(difference), percent(fromOurs), rest.toFixed(4)];
        process.stdout.write(`| ${cells.join(' | ')} | ${usage.wallSeconds.toFixed(1)} |\n`);
      }
    }
  }
} finally {
  await Promise.all(subjects.map(({ runner }) => runner.close()));
  await rm(folder, { recursive: true, force: true });
}
process.stdout.write(isWithin ? '\nAll within the limits.\n' : '\nNot all within the limits.\n');
process.exitCode = isWithin ? 0 : 1;
