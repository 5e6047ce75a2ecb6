import { loadSample } from '../../../src/runners/servo-sample.js';
import { startFastApiServer } from './fastapi-server.js';
import type { ServerFault } from './server-faults.js';

/** What the program gets as its one argument, in JSON. */
export interface FastApiProgramOptions {
  slots: number;
  msPerFrame: number;
  port: number;
  contract: 'full' | 'legacy';
  /** What is wrong with it: by turns with each job, from the first one. Empty: nothing. */
  faults: readonly ServerFault[];
}

/**
 * A scripted model server in a process of its own, to be killed. It computes the velocities of the sample scene, sends its
 * address to whoever forked it, and ends when that one has gone.
 */
const { faults, ...options } = JSON.parse(process.argv[2]) as FastApiProgramOptions;
const { truth } = await loadSample();
const server = await startFastApiServer({
  ...options,
  velocity: (frame) => truth[frame % truth.length],
  ...(faults.length === 0 ? {} : { fault: (_job, index: number) => faults[index % faults.length] }),
});
process.once('disconnect', () => process.exit());
process.send?.(server.url.href);
