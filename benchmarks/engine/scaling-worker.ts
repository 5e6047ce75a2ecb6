/**
 * One worker of the scaling benchmark: an engine in a process that `taskset` has bound to its cores, and with it all that
 * the engine starts. Told by its parent when to begin, so that two begin at once.
 *
 *   scaling-worker.ts FOLDER DETECTOR THREADS PASSES
 */
import { once } from 'node:events';
import { createLogger } from '../../src/platform/logging/winston-logger.js';
import { EngineProgram } from './engine-program.js';
import { loadGoldenFolder, neighbourOfGoal } from './golden-folder.js';

/** What a worker has done; times in milliseconds on a clock that all processes share. */
export interface WorkerReport {
  frames: number;
  started: number;
  finished: number;
}

const [folder, detector, threads, passes] = process.argv.slice(2);
const cases = await loadGoldenFolder(folder);
const logger = createLogger({ level: 'warn', format: 'pretty', fields: {} });
const program = await EngineProgram.start({ logger, weights: undefined, threads: Number(threads) });
const now = (): number => performance.timeOrigin + performance.now();
try {
  const [first] = cases;
  await program.run({ golden: first, detector, policy: 'ibvs', goalFrame: neighbourOfGoal(first) });
  process.send?.('ready');
  await once(process, 'message');
  const started = now();
  let frames = 0;
  for (let pass = 0; pass < Number(passes); pass++) {
    for (const golden of cases) {
      const { result } = await program.run({ golden, detector, policy: 'ibvs', settles: false });
      frames += result.velocity.length;
    }
  }
  process.send?.({ frames, started, finished: now() } satisfies WorkerReport);
} finally {
  await program.stop();
  if (process.connected) process.disconnect();
}
