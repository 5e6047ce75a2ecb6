import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type * as Decoders from '../src/platform/media/create-video-decoder.js';
import type * as Runners from '../src/runners/embedded/embedded.runner.js';
import { runCampaign } from '../tests/support/media-fuzz/campaign.js';
import { silentLogger } from '../tests/support/silent-logger.js';

/** `npm run fuzz:media -- --count 1500 --seed 1 [--first 0]`: mutated videos through probe and engine. */
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    deadline: { type: 'string', default: '120' },
  },
});
// The build, not the source: its processes start in a third of the time.
const build = (path: string): string => new URL(`../dist/${path}`, import.meta.url).href;
const { createVideoDecoder } = (await import(build('platform/media/create-video-decoder.js'))) as typeof Decoders;
const { createEmbeddedRunner } = (await import(build('runners/embedded/embedded.runner.js'))) as typeof Runners;

const folder = await mkdtemp(join(tmpdir(), 'media-fuzz-'));
const runner = createEmbeddedRunner({ logger: silentLogger, processes: 1, version: '0.0.0' });
const decoder = createVideoDecoder({ logger: silentLogger });
const started = performance.now();
try {
  const report = await runCampaign({
    count: Number(values.count),
    seed: Number(values.seed),
    first: Number(values.first),
    deadlineMs: 1000 * Number(values.deadline),
    folder,
    decoder,
    runner,
    onProgress: (done) => {
      if (done % 100 === 0) console.error(`${done} mutants, ${Math.round((performance.now() - started) / 1000)} s`);
    },
  });
  console.log(JSON.stringify(report, null, 2));
  process.exitCode = report.findings.length === 0 ? 0 : 1;
} finally {
  await runner.close();
  await decoder.close();
  await rm(folder, { recursive: true, force: true });
}
