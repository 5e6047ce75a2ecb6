import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildDataset, SMALL_VIDEO, SMALL_VIDEO_FRAMES } from '../support/build.js';
import { startCuttingProxy } from '../support/cutting-proxy.js';
import { expectLedgersToBalance } from '../support/ledger.js';

const FILE_BYTES = 3_000_000;

describe('resumable uploads of the client', () => {
  let app: App;
  let folder: string;
  let file: string;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
    folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-resumable-'));
    file = path.join(folder, 'long.mp4');
    const video = await readFile(SMALL_VIDEO);
    // A box that players skip fills the rest (ISO/IEC 14496-12, `free`).
    const padding = Buffer.alloc(FILE_BYTES - video.length);
    padding.writeUInt32BE(padding.length, 0);
    padding.write('free', 4, 'latin1');
    await writeFile(file, Buffer.concat([video, padding]));
  });
  afterAll(async () => {
    await app.stop();
    await rm(folder, { recursive: true });
  });

  it('goes on where a broken connection left it, and pays once', async () => {
    const { id: datasetId, user } = await buildDataset(app);
    const proxy = await startCuttingProxy(app.baseUrl, { bytes: 500_000, times: 3 });
    try {
      const client = createClient({ baseUrl: proxy.baseUrl, token: user.token });
      let furthest = 0;
      const { upload } = await client.uploadResumable(
        datasetId,
        { name: 'cut', file: { path: file } },
        { retryDelayMs: 10, onProgress: (sent) => (furthest = Math.max(furthest, sent)) },
      );
      expect(upload).toMatchObject({ state: 'done', length: FILE_BYTES });
      expect(upload.videos).toMatchObject([{ name: 'cut', frame_count: SMALL_VIDEO_FRAMES }]);
      expect([proxy.cuts(), furthest]).toEqual([3, FILE_BYTES]);
      expect(await user.api.credits()).toBe(99);
      await expectLedgersToBalance(app);
    } finally {
      await proxy.close();
    }
  });

  it('goes on with what an earlier call began', async () => {
    const { id: datasetId, user } = await buildDataset(app);
    const client = createClient({ baseUrl: app.baseUrl, token: user.token });
    const halfway = new AbortController();
    let uploadId = '';
    const first = client.uploadResumable(
      datasetId,
      { name: 'in two goes', file: { path: file } },
      {
        signal: halfway.signal,
        onCreated: (id) => (uploadId = id),
        onProgress: (sent) => {
          if (sent > FILE_BYTES / 2) halfway.abort(new Error('enough for now'));
        },
      },
    );
    await expect(first).rejects.toThrow('enough for now');
    const { upload } = await client.getUpload(uploadId);
    expect(upload.state).toBe('receiving');
    const whole = await client.uploadResumable(datasetId, { name: 'x', file: { path: file } }, { uploadId });
    expect(whole.upload).toMatchObject({ id: uploadId, state: 'done', name: 'in two goes' });
    await expect(client.deleteUpload(uploadId)).rejects.toMatchObject({ code: 'upload-not-open' });
  });

  it('gives up at once where trying again would not help, and after a while where nobody answers', async () => {
    const { id: datasetId, user } = await buildDataset(app);
    const text = path.join(folder, 'text.mp4');
    await writeFile(text, 'no video');
    const client = createClient({ baseUrl: app.baseUrl, token: user.token });
    const refused = client.uploadResumable(datasetId, { name: 'text', file: { path: text } });
    await expect(refused).rejects.toMatchObject({ code: 'unsupported-video' });
    const proxy = await startCuttingProxy(app.baseUrl, { bytes: 100_000, times: 1_000 });
    try {
      const unlucky = createClient({ baseUrl: proxy.baseUrl, token: user.token });
      const options = { retries: 2, retryDelayMs: 1, uploadId: '' };
      options.uploadId = await created(client, datasetId);
      const given = unlucky.uploadResumable(datasetId, { name: 'unlucky', file: { path: file } }, options);
      await expect(given).rejects.toThrow();
      expect(proxy.cuts()).toBeGreaterThan(2);
    } finally {
      await proxy.close();
    }
  });

  /** An upload that nothing has been sent of. */
  async function created(client: ReturnType<typeof createClient>, datasetId: string): Promise<string> {
    const before = new AbortController();
    let uploadId = '';
    const options = {
      signal: before.signal,
      onCreated: (id: string) => {
        uploadId = id;
        before.abort(new Error('created'));
      },
    };
    await expect(client.uploadResumable(datasetId, { name: 'x', file: { path: file } }, options)).rejects.toThrow();
    return uploadId;
  }
});
