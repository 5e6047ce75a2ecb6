/**
 * Start-up of an engine, and what a second thread or process brings:
 *
 *   npm run bench:engine:scaling -- [--rounds N] [--detectors A,B]
 *
 * Needs two free cores. Prints Markdown.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createLogger } from '../../src/platform/logging/winston-logger.js';
import { median } from '../../tests/support/velocity-difference.js';
import { EngineProgram } from './engine-program.js';
import { loadGoldenFolder, neighbourOfGoal, type GoldenCase } from './golden-folder.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    detectors: { type: 'string', default: 'SIFT,ORB,AKAZE' },
  },
});
const rounds = Number(options.rounds);
const BUILT_ENGINE = fileURLToPath(new URL('../../dist/runners/embedded/engine-process.js', import.meta.url));
const logger = createLogger({ level: 'warn', format: 'pretty', fields: {} });
const cases = await loadGoldenFolder(fileURLToPath(new URL('../../tests/fixtures/golden', import.meta.url)));

/** Milliseconds from the fork of the built engine to its word that it can work. */
async function startUp(): Promise<number> {
  const started = performance.now();
  const child = fork(BUILT_ENGINE, [], { serialization: 'advanced' });
  await once(child, 'message');
  const elapsed = performance.now() - started;
  child.disconnect();
  await once(child, 'exit');
  return elapsed;
}

/** Frames per second of two jobs on different goals, given to the engine at once. */
async function throughput(
  pair: [GoldenCase, GoldenCase],
  detector: string,
  shape: { processes: number; threads: number },
): Promise<number> {
  const program = await EngineProgram.start({ logger, weights: undefined, ...shape });
  try {
    const warmUp = pair.map((golden) => ({
      golden,
      detector,
      policy: 'ibvs' as const,
      goalFrame: neighbourOfGoal(golden),
    }));
    await Promise.all(warmUp.map((job) => program.run(job)));
    const started = performance.now();
    const frames = await Promise.all(
      pair.map(async (golden) => {
        const { result, finished } = await program.run({ golden, detector, policy: 'ibvs' });
        return { frames: result.velocity.length, finished };
      }),
    );
    const end = Math.max(...frames.map(({ finished }) => finished));
    return frames.reduce((sum, job) => sum + job.frames, 0) / ((end - started) / 1000);
  } finally {
    await program.stop();
  }
}

const startUps: number[] = [];
for (let i = 0; i < 5; i++) startUps.push(await startUp());
console.log(
  `${os.cpus()[0].model}, ${os.cpus().length} cores, Node ${process.version}, load ${os.loadavg()[0].toFixed(1)}.`,
);
console.log(`\nStart-up of the built engine, fork to ready: median ${median(startUps).toFixed(0)} ms.\n`);
console.log('| Detector | One | Two processes | Ratio | Two threads | Ratio |');
console.log('| --- | --- | --- | --- | --- | --- |');
const [, second, third] = cases.filter(({ name }) => name.startsWith('dev-'));
for (const detector of options.detectors.split(',')) {
  const figures = { one: [] as number[], processes: [] as number[], threads: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    figures.one.push(await throughput([second, third], detector, { processes: 1, threads: 1 }));
    figures.processes.push(await throughput([second, third], detector, { processes: 2, threads: 1 }));
    figures.threads.push(await throughput([second, third], detector, { processes: 1, threads: 2 }));
  }
  const ratio = (values: number[]) => median(values.map((value, i) => value / figures.one[i])).toFixed(2);
  const cell = (values: number[]) => median(values).toFixed(1);
  const { one, processes, threads } = figures;
  console.log(
    `| ${detector} | ${cell(one)} | ${cell(processes)} | ${ratio(processes)} | ${cell(threads)} | ${ratio(threads)} |`,
  );
}
