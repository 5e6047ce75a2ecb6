/**
 * Job frames per second of the embedded engine, warm, on the golden cases:
 *
 *   node --import tsx benchmarks/engine-throughput.ts [rounds]
 *
 * Prints a Markdown table of medians over the rounds. Processor time stands beside wall time: it moves less on a busy
 * machine.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLogger } from '../src/platform/logging/winston-logger.js';
import { createEmbeddedRunner } from '../src/runners/embedded/embedded.runner.js';
import { DETECTORS, type Detector, type Intrinsics, type VisualizeMode } from '../src/runners/runner.port.js';

const CASES = fileURLToPath(new URL('../tests/fixtures/golden', import.meta.url));
const CASE_NAMES = ['dev-a-translate-xy', 'dev-b-roll', 'dev-c-mixed6dof'];

interface GoldenCase {
  camera: Intrinsics;
  goal_frame_idx: number;
  current_frame_count: number;
  distance_prior_m: number;
}

interface Sample {
  framesPerSecond: number;
  cpuMsPerFrame: number;
}

const rounds = Number(process.argv[2] ?? 5);
const logger = createLogger({ level: 'warn', format: 'pretty', fields: {} });
const runner = createEmbeddedRunner({ logger, processes: 1, version: 'benchmark' });
const scratch = await mkdtemp(path.join(os.tmpdir(), 'infernode-benchmark-'));

async function runJob(name: string, detector: Detector, visualize: VisualizeMode): Promise<Sample> {
  const folder = path.join(CASES, name);
  const golden = JSON.parse(await readFile(path.join(folder, 'case.json'), 'utf8')) as GoldenCase;
  const { fx, fy, cx, cy } = golden.camera;
  const archivePath = path.join(scratch, 'result.zip');
  const result = await runner.run(
    {
      jobId: 'benchmark',
      attempt: 1,
      goalVideoPath: path.join(folder, 'goal.mp4'),
      currentVideoPath: path.join(folder, 'current.mp4'),
      archivePath,
      parameters: {
        startFrame: 0,
        endFrame: golden.current_frame_count - 1,
        frameStep: 1,
        goalFrameId: golden.goal_frame_idx,
        detector,
        policy: 'ibvs',
        useGpus: false,
        intrinsics: { fx, fy, cx, cy },
        distance: golden.distance_prior_m,
        visualize,
      },
    },
    { signal: AbortSignal.timeout(300_000), onProgress: () => undefined },
  );
  await rm(archivePath);
  const frames = result.velocity.length;
  return {
    framesPerSecond: frames / result.usage.wallSeconds,
    cpuMsPerFrame: (result.usage.cpuSeconds * 1000) / frames,
  };
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

try {
  await runJob(CASE_NAMES[0], 'ORB', 'none');
  console.log(`${os.cpus()[0].model}, ${os.availableParallelism()} cores, Node ${process.version}, ${rounds} rounds`);
  console.log('| Case | Detector | Frames/s, no pictures | CPU ms/frame | Frames/s, all pictures | CPU ms/frame |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const name of CASE_NAMES) {
    for (const detector of DETECTORS) {
      const without: Sample[] = [];
      const withPictures: Sample[] = [];
      for (let round = 0; round < rounds; round++) {
        without.push(await runJob(name, detector, 'none'));
        withPictures.push(await runJob(name, detector, 'all'));
      }
      const cells = [without, withPictures].flatMap((samples) => [
        median(samples.map((sample) => sample.framesPerSecond)).toFixed(1),
        median(samples.map((sample) => sample.cpuMsPerFrame)).toFixed(0),
      ]);
      console.log(`| ${name} | ${detector} | ${cells.join(' | ')} |`);
    }
  }
} finally {
  await runner.close();
  await rm(scratch, { recursive: true, force: true });
}
