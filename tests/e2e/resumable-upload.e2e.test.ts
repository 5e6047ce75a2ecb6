import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/sdk/client.js';
import { until } from '../support/wait.js';
import { buildZip } from '../support/zip-builder.js';
import { ApiUser } from './support/api-user.js';
import { expectBalancedLedger } from './support/evidence.js';
import { withInstallation } from './support/installation.js';
import { SMALL_VIDEO } from './support/uploads.js';

const TEST_MS = 120_000;
/** Enough of them that examining them takes a while. */
const VIDEOS = 12;

describe('kill -9 of a server that is finishing a resumable upload', () => {
  it(
    'the next start finishes it by itself: each video once, each paid once, nothing left over',
    () =>
      withInstallation({ database: 'embedded' }, async (installation) => {
        const first = await installation.start();
        const user = await ApiUser.register(first.baseUrl);
        const datasetId = await user.createDataset();
        const video = await readFile(SMALL_VIDEO);
        const zip = buildZip(Array.from({ length: VIDEOS }, (_, index) => ({ name: `${index}.mp4`, data: video })));

        const tus = { 'Tus-Resumable': '1.0.0', Authorization: `Bearer ${user.token}` };
        const metadata = Object.entries({ datasetId, name: 'killed', type: 'zip' });
        const created = await fetch(`${first.baseUrl}/api/uploads`, {
          method: 'POST',
          headers: {
            ...tus,
            'Upload-Length': String(zip.length),
            'Upload-Metadata': metadata.map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`).join(),
          },
        });
        const address = created.headers.get('location') ?? '';
        const uploadId = path.basename(address);
        const sending = fetch(`${first.baseUrl}${address}`, {
          method: 'PATCH',
          headers: { ...tus, 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' },
          body: new Uint8Array(zip),
        }).catch((error: unknown) => error);
        const stateOf = async (baseUrl: string) =>
          (await createClient({ baseUrl, token: user.token }).getUpload(uploadId)).upload;
        await until(async () => (await stateOf(first.baseUrl)).state === 'processing', {
          what: 'the work on the videos',
        });
        await first.kill();
        expect(await sending).toBeInstanceOf(Error);
        await installation.expectNoProcesses();

        const second = await installation.start();
        user.baseUrl = second.baseUrl;
        await until(async () => (await stateOf(second.baseUrl)).state === 'done', {
          what: 'the upload that was left',
          deadline: 60_000,
        });
        const { videos } = await stateOf(second.baseUrl);
        expect(videos).toHaveLength(VIDEOS);
        expect(await user.videosOf(datasetId)).toHaveLength(VIDEOS);
        expect(await user.credits()).toBe(100 - VIDEOS);
        await expectBalancedLedger(installation);
        expect(await installation.files('staging')).toEqual([]);
        // The same content twelve times is one file.
        expect(await installation.files('objects')).toHaveLength(1);
        const partials = path.join(installation.dataDir, 'partials');
        await until(async () => (await readdir(partials)).length === 0, { what: 'the bytes of the upload are gone' });
      }),
    TEST_MS,
  );
});
