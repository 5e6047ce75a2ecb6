import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createVideoDecoder } from '../../src/platform/media/create-video-decoder.js';
import { createEmbeddedRunner } from '../../src/runners/embedded/embedded.runner.js';
import { runCampaign } from '../support/media-fuzz/campaign.js';
import { silentLogger } from '../support/silent-logger.js';

it('an engine that has ended at the end of a campaign is no failure of the campaign', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'media-fuzz-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { pid: ended } = spawnSync(process.execPath, ['--version']);
  const runner = createEmbeddedRunner({ logger: silentLogger, processes: 1, version: '0.0.0' });
  await runner.close();
  const decoder = createVideoDecoder({ logger: silentLogger, ffmpegPath: '/nowhere/ffmpeg' });
  const closed = Object.assign(runner, { pids: () => [ended] });
  const report = await runCampaign({ count: 1, seed: 1, folder, decoder, runner: closed, deadlineMs: 60_000 });
  expect(report.after.openFiles).toBeGreaterThan(0);
});

/** A sample of `npm run fuzz:media`: always the same fifty. */
it('fifty mutated videos end as results or typed errors and leave nothing behind', { timeout: 900_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'media-fuzz-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const runner = createEmbeddedRunner({ logger: silentLogger, processes: 1, version: '0.0.0' });
  onTestFinished(() => runner.close());
  const decoder = createVideoDecoder({ logger: silentLogger });
  const report = await runCampaign({ count: 50, seed: 50, folder, decoder, runner, deadlineMs: 300_000 });
  expect(report.findings).toEqual([]);
  const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, count) => sum + count, 0);
  expect([total(report.probe), total(report.job)]).toEqual([50, 50]);
});
