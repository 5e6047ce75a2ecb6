import { expect, it } from 'vitest';
import { FastApiProcess } from '../support/model-servers/fastapi-process.js';
import { ApiUser } from './support/api-user.js';
import { expectBalancedLedger } from './support/evidence.js';
import { withInstallation } from './support/installation.js';
import { inMebibytes, MEBIBYTE, peakMemory } from './support/memory.js';
import { paddedVideo, SMALL_VIDEO } from './support/uploads.js';

/** By hand also with the largest upload that there is by default: `TEST_VIDEO_MEBIBYTES=2048`. */
const LARGE = Number(process.env['TEST_VIDEO_MEBIBYTES'] ?? 256) * MEBIBYTE;
const ALLOWED_GROWTH = 64 * MEBIBYTE;
const TEST_MS = 300_000;
const PARAMETERS = { startFrame: 0, endFrame: 20, frameStep: 10, goalFrameId: 0, detector: 'ORB', useGpus: false };

it(
  `a job on videos of ${LARGE / MEBIBYTE} MB goes through worker and model server without being held in memory`,
  async () => {
    const modelServer = await FastApiProcess.start();
    const settings = {
      RUNNERS: JSON.stringify([{ name: 'north', kind: 'fastapi', url: modelServer.url.href, slots: 1 }]),
      EMBEDDED_ENGINE: 'off',
    };
    try {
      await withInstallation({ database: 'shared', settings }, async (installation) => {
        const api = await installation.start('api');
        const worker = await installation.start('worker');
        // It asks the model server how it is and what it can do.
        await installation.start('scheduler');
        const user = await ApiUser.register(api.baseUrl);
        const smallDataset = await user.createDataset('small');
        const largeDataset = await user.createDataset('large');
        const { video } = await user.upload(smallDataset, SMALL_VIDEO);
        const { status } = await user.uploadStream(largeDataset, paddedVideo(LARGE), LARGE);
        expect(status).toBe(201);

        const run = async (datasetId: string): Promise<void> => {
          const [jobId] = await user.submit(datasetId, PARAMETERS);
          expect((await user.result(jobId, TEST_MS)).velocity).toHaveLength(3);
        };
        const peaksOf = async (datasetId: string) => {
          const job = run(datasetId);
          const [ofWorker, ofServer] = await Promise.all(
            [worker.pid, modelServer.pid].map((pid) => peakMemory(pid, () => job, TEST_MS)),
          );
          return { worker: ofWorker.all, server: ofServer.all };
        };
        // What a job needs at any size: code is loaded, connections are made.
        await run(smallDataset);
        const small = await peaksOf(smallDataset);
        const large = await peaksOf(largeDataset);
        const growth = { worker: large.worker - small.worker, server: large.server - small.server };
        process.stdout.write(
          `${LARGE / MEBIBYTE} MiB as goal and as current video: memory of the worker ${inMebibytes(growth.worker)}, ` +
            `of the scripted model server ${inMebibytes(growth.server)}\n`,
        );
        expect(growth.worker).toBeLessThan(ALLOWED_GROWTH);
        expect(growth.server).toBeLessThan(ALLOWED_GROWTH);
        // A dataset of one video compares it with itself, so the server got everything twice.
        const counters = await modelServer.counters();
        expect(counters).toMatchObject({ completed: 3, peak: 1, bytesReceived: 2 * LARGE + 4 * video.size_bytes });
        await expectBalancedLedger(installation);
      });
    } finally {
      await modelServer.kill();
    }
  },
  TEST_MS,
);
