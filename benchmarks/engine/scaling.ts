/**
 * Start-up of an engine, and what a second worker or thread brings:
 *
 *   npm run bench:engine:scaling -- [--rounds N] [--detectors A,B] [--passes N] [--cpus A,B] [--cases FOLDER]
 *
 * One worker bound to one core, with all its processes, beside two bound to a core each; and an engine with two threads bound
 * to both. Every worker does the same jobs, one after another: all cases, as many times as there are passes. Needs Linux
 * and two free cores. Prints Markdown.
 */
import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from '../../tests/support/velocity-difference.js';
import { commit } from './report.js';
import type { WorkerReport } from './scaling-worker.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    detectors: { type: 'string', default: 'SIFT,ORB,AKAZE' },
    passes: { type: 'string', default: '2' },
    cpus: { type: 'string' },
    cases: { type: 'string', default: fileURLToPath(new URL('../../tests/fixtures/golden', import.meta.url)) },
  },
});
const WORKER = fileURLToPath(new URL('scaling-worker.ts', import.meta.url));
const BUILT_ENGINE = fileURLToPath(new URL('../../dist/runners/embedded/engine-process.js', import.meta.url));

/** Milliseconds from the fork of the built engine to its word that it can work. */
async function startUp(): Promise<number> {
  const started = performance.now();
  const child = fork(BUILT_ENGINE, ['1'], { serialization: 'advanced' });
  await once(child, 'message');
  const elapsed = performance.now() - started;
  child.disconnect();
  await once(child, 'exit');
  return elapsed;
}

/** Numbers of the cores that this process may run on; none where that cannot be told or changed. */
async function usableCores(): Promise<string[]> {
  if (process.platform !== 'linux' || spawnSync('taskset', ['--version']).status !== 0) return [];
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
  });
}

interface Worker {
  child: ChildProcess;
  /** Rejected when the worker ends. */
  ended: Promise<never>;
  exited: Promise<unknown>;
}

function startWorker(detector: string, { cores, threads }: { cores: string; threads: number }): Worker {
  const words = [...process.execArgv, WORKER, options.cases, detector, String(threads), options.passes];
  const child = spawn('taskset', ['-c', cores, process.execPath, ...words], { stdio: ['ignore', 2, 2, 'ipc'] });
  const exited = once(child, 'exit');
  const ended = exited.then(([code]) => {
    throw new Error(`A worker ended with ${code}`);
  });
  ended.catch(() => undefined); // a failure only for who waits for a message
  return { child, ended, exited };
}

/** Frames per second of workers that begin at once, each bound to the cores named for it, until the last has finished. */
async function throughput(detector: string, shapes: readonly { cores: string; threads: number }[]): Promise<number> {
  const workers = shapes.map((shape) => startWorker(detector, shape));
  const messages = () => workers.map(({ child, ended }) => Promise.race([once(child, 'message'), ended]));
  try {
    await Promise.all(messages());
    const reports = messages();
    for (const { child } of workers) child.send('go');
    const done = (await Promise.all(reports)).map(([report]) => report as WorkerReport);
    const begin = Math.min(...done.map((report) => report.started));
    const end = Math.max(...done.map((report) => report.finished));
    return done.reduce((sum, { frames }) => sum + frames, 0) / ((end - begin) / 1000);
  } finally {
    for (const { child } of workers) if (child.connected) child.disconnect();
    await Promise.all(workers.map(({ exited }) => exited));
  }
}

const ratioOf = (values: readonly number[], one: readonly number[]): string => {
  const ratios = values.map((value, round) => value / one[round]);
  const [middle, least, most] = [median(ratios), Math.min(...ratios), Math.max(...ratios)].map((r) => r.toFixed(2));
  return `${middle} | ${least}–${most}`;
};

async function compare(detector: string, [first, second]: readonly string[]): Promise<string> {
  const figures = { one: [] as number[], workers: [] as number[], threads: [] as number[] };
  for (let round = 0; round < Number(options.rounds); round++) {
    // In turn, since cores and their neighbours are not alike.
    const alone = round % 2 === 0 ? first : second;
    figures.one.push(await throughput(detector, [{ cores: alone, threads: 1 }]));
    const both = [first, second].map((cores) => ({ cores, threads: 1 }));
    figures.workers.push(await throughput(detector, both));
    figures.threads.push(await throughput(detector, [{ cores: `${first},${second}`, threads: 2 }]));
  }
  const { one, workers, threads } = figures;
  const cell = (values: number[]) => median(values).toFixed(1);
  return `| ${detector} | ${cell(one)} | ${cell(workers)} | ${ratioOf(workers, one)} | ${cell(threads)} | ${ratioOf(threads, one)} |`;
}

const startUps: number[] = [];
for (let i = 0; i < 5; i++) startUps.push(await startUp());
const cores = options.cpus?.split(',') ?? (await usableCores());
console.log(
  `${os.cpus()[0].model}, ${os.cpus().length} cores, Node ${process.version}, commit ${commit()}, ` +
    `load at the start ${os.loadavg()[0].toFixed(1)}, ${options.rounds} rounds, medians and ranges.`,
);
console.log(`\nStart-up of the built engine, fork to ready: median ${median(startUps).toFixed(0)} ms.\n`);
if (cores.length < 2) {
  console.log('Two workers were not compared with one: that needs Linux, taskset and two cores.');
} else {
  console.log('Frames per second of whole jobs, decoding included.\n');
  console.log(
    '| Detector | One worker, one core | Two workers, a core each | Ratio | Range | Two threads | Ratio | Range |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const detector of options.detectors.split(',')) console.log(await compare(detector, cores));
  console.log(`\nLoad at the end ${os.loadavg()[0].toFixed(1)}.`);
}
