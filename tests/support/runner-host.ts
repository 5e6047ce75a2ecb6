import { createEmbeddedRunner } from '../../src/runners/embedded/embedded.runner.js';
import { loadGoldenCase } from './golden-case.js';
import { buildRunInput, runContext } from './runner-jobs.js';
import { silentLogger } from './silent-logger.js';

/**
 * A process of its own that runs a long job in the folder named by its argument and, once frames are being processed,
 * sends the pids of its engines to whoever forked it. Made to be killed.
 */
const [folder] = process.argv.slice(2);
const runner = createEmbeddedRunner({ logger: silentLogger, processes: 1, version: '0.0.0' });
const golden = await loadGoldenCase('dev-a-translate-xy');
const parameters = { endFrame: golden.currentFrameCount - 1, frameStep: 1, detector: 'SIFT' } as const;
const report = runContext(() => process.send?.(runner.pids()));
await runner.run(buildRunInput(golden, folder, { parameters }), report);
await runner.close();
