import { expect, it } from 'vitest';
import { until } from '../support/wait.js';
import { ApiUser } from './support/api-user.js';
import { expectBalancedLedger } from './support/evidence.js';
import { withInstallation } from './support/installation.js';
import { inMebibytes, MEBIBYTE, peakMemory } from './support/memory.js';
import { paddedVideo, SMALL_VIDEO } from './support/uploads.js';

const LARGE = 500 * MEBIBYTE;
const ALLOWED_GROWTH = 64 * MEBIBYTE;
const TEST_MS = 180_000;

it(
  'a video of 500 MB is taken in without being held in memory; cut off half-way it leaves nothing',
  () =>
    withInstallation({}, async (installation) => {
      const server = await installation.start();
      const user = await ApiUser.register(server.baseUrl);
      const datasetId = await user.createDataset();

      // What an upload needs at any size: code is loaded, and a decoder process counts the frames.
      await user.upload(datasetId, SMALL_VIDEO);
      const small = await peakMemory(server.pid, () => user.upload(datasetId, SMALL_VIDEO), TEST_MS);
      const upload = async (): Promise<void> => {
        const { status, body } = await user.uploadStream(datasetId, paddedVideo(LARGE), LARGE);
        expect(status).toBe(201);
        expect(JSON.parse(body)).toMatchObject({ costDeducted: 1, video: { frame_count: 25, size_bytes: LARGE } });
      };
      const large = await peakMemory(server.pid, upload, TEST_MS);
      const growth = { all: large.all - small.all, main: large.main - small.main };
      process.stdout.write(
        `500 MB upload: memory of all processes ${inMebibytes(growth.all)}, main process ${inMebibytes(growth.main)}\n`,
      );
      expect(growth.all).toBeLessThan(ALLOWED_GROWTH);
      expect(growth.main).toBeLessThan(ALLOWED_GROWTH);
      expect(await user.credits()).toBe(97);

      await expect(user.uploadStream(datasetId, cutHalfWay(LARGE), LARGE)).rejects.toThrow('the cable was pulled');
      await until(async () => (await installation.files('staging')).length === 0, { what: 'the half is removed' });
      // Three videos of two contents.
      expect(await installation.files('objects')).toHaveLength(2);
      expect(await user.credits()).toBe(97);
      expect(await user.videosOf(datasetId)).toHaveLength(3);
      await expectBalancedLedger(installation);
    }),
  TEST_MS,
);

async function* cutHalfWay(bytes: number): AsyncGenerator<Buffer> {
  let sent = 0;
  for await (const piece of paddedVideo(bytes)) {
    if (sent > bytes / 2) throw new Error('the cable was pulled');
    sent += piece.length;
    yield piece;
  }
}
