import { randomBytes, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { VideoArchiveService } from '../../src/modules/video/video-archive.service.js';
import { thumbnailKey } from '../../src/modules/stored-file/stored-file.domain.js';
import { VideoService } from '../../src/modules/video/video.service.js';
import type { AppError } from '../../src/platform/app-error.js';
import { Permits } from '../../src/platform/permits.js';
import { withoutKey } from '../../src/platform/once.js';
import { startApp, type App } from '../support/app.js';
import { buildDataset, buildUser, SMALL_VIDEO } from '../support/build.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectFilesToMatchRows, storedFiles } from '../support/stored-files.js';

const never = (): AbortSignal => new AbortController().signal;
const INFO = {
  container: 'mp4',
  codec: 'h264',
  width: 8,
  height: 8,
  frameCount: 25,
  frameRate: 25,
  durationSeconds: 1,
};

const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));

/** The service as it runs, but for the decoder: what is raced for here is the file. */
function videoServiceOf({ container: { infrastructure, services } }: App): VideoService {
  return new VideoService({
    uow: infrastructure.uow,
    repositories: infrastructure.repositories,
    files: services.files,
    archives: new VideoArchiveService({ store: infrastructure.store, limits: { maxEntries: 0, maxTotalBytes: 0 } }),
    decoder: { ...infrastructure.decoder, probe: () => Promise.resolve(INFO) },
    probes: new Permits(1000),
    framesPerCredit: 25,
  });
}

describe('identical content', () => {
  let app: App;
  let second: App;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
    second = await startApp({ parts: ['http'], beside: app });
  });
  afterAll(async () => {
    await second.stop();
    await app.stop();
  });
  afterEach(() => expectLedgersToBalance(app));

  async function upload(on: App, { userId, datasetId }: { userId: string; datasetId: string }, bytes: Buffer) {
    const content = await on.container.infrastructure.store.stage(Readable.from([bytes]), {
      signal: never(),
      maxBytes: 1_000_000,
    });
    const upload = { userId, datasetId, name: randomUUID(), type: 'video', content } as const;
    const [video] = await videoServiceOf(on).add(upload, withoutKey(), never());
    return video;
  }

  async function buildPlace(credits: number) {
    const { id: datasetId, user } = await buildDataset(app, { user: await buildUser(app, { credits }) });
    return { userId: user.id, datasetId };
  }

  async function contentOf(storageKey: string): Promise<Buffer> {
    return buffer((await app.container.infrastructure.store.read(storageKey)).stream);
  }

  it('is stored once, however many upload it at the same time over two servers', async () => {
    const bytes = randomBytes(10_000);
    const places = await times(4, () => buildPlace(50));
    const videos = await times(200, (index) => upload(index % 2 === 0 ? app : second, places[index % 4], bytes));
    expect(new Set(videos.map(({ id }) => id)).size).toBe(200);
    expect(new Set(videos.map(({ storageKey }) => storageKey)).size).toBe(1);
    expect(await contentOf(videos[0].storageKey)).toEqual(bytes);
    const { videos: files, staging } = await storedFiles(app);
    expect([files.length, staging.length]).toEqual([1, 0]);
    expect(await app.sql('SELECT 1 FROM file_reservations')).toEqual([]);
  });

  it('costs each the same and answers each the same, whoever came first', async () => {
    const [first, later] = await times(2, () => buildDataset(app));
    const answers = [];
    for (const { id, user } of [first, later]) answers.push(await user.api.upload(id, SMALL_VIDEO));
    const [one, two] = answers.map(({ status, body }) => ({ ...body, status, id: null, video: null, videos: null }));
    expect(one).toEqual(two);
    expect(await first.user.api.credits()).toBe(await later.user.api.credits());
    await expectFilesToMatchRows(app);
  });

  it('stays with those who paid when others are refused and files are swept at the same moment', async () => {
    for (let round = 0; round < 10; round++) {
      const bytes = randomBytes(1_000);
      const [rich, poor] = [await buildPlace(3), await buildPlace(0)];
      const [answers] = await Promise.all([
        Promise.allSettled(
          Array.from({ length: 12 }, (_, index) =>
            upload(index % 2 === 0 ? app : second, index % 4 === 0 ? rich : poor, bytes),
          ),
        ),
        app.container.services.files.removeUnreferenced(),
        second.container.services.files.removeUnreferenced(),
      ]);
      const refused = answers.filter((answer) => answer.status === 'rejected').map(({ reason }) => reason as AppError);
      expect(refused.map(({ code }) => code)).toEqual(Array(9).fill('insufficient-credits'));
      const rows = await app.sql<{ storage_key: string }>('SELECT storage_key FROM videos WHERE dataset_id = $1', [
        rich.datasetId,
      ]);
      expect(rows).toHaveLength(3);
      for (const row of rows) expect(await contentOf(row.storage_key)).toEqual(bytes);
    }
    await expectFilesToMatchRows(app);
  });

  it('leaves nothing when every upload of it is refused', async () => {
    const poor = await buildPlace(0);
    const bytes = randomBytes(1_000);
    await Promise.allSettled(Array.from({ length: 8 }, () => upload(app, poor, bytes)));
    await expectFilesToMatchRows(app);
    expect(await app.sql('SELECT 1 FROM file_reservations')).toEqual([]);
  });

  it('is kept for an upload that is under way, and swept when its process died', async () => {
    const { files } = app.container.services;
    const { store } = app.container.infrastructure;
    const staged = await store.stage(Readable.from([randomBytes(100)]), { signal: never(), maxBytes: 1000 });
    const reserved = await files.keep(staged);
    expect(await files.removeUnreferenced()).toBe(0);
    expect(await store.stat(reserved.storageKey)).not.toBeNull();
    await app.sql(`UPDATE file_reservations SET expires_at = now() - interval '1 second'`);
    const removed = await Promise.all([
      files.removeUnreferenced(),
      second.container.services.files.removeUnreferenced(),
    ]);
    expect(removed.sort()).toEqual([0, 1]);
    expect(await store.stat(reserved.storageKey)).toBeNull();
    await expect(
      app.container.infrastructure.uow.run(({ repositories }) => repositories.files.claim(reserved)),
    ).rejects.toMatchObject({ code: 'service-unavailable' });
  });

  it('keeps what rows know and loses what they do not, pictures included, once it is old', async () => {
    const { store } = app.container.infrastructure;
    const { storageKey } = await upload(app, await buildPlace(1), randomBytes(1_000));
    const put = async (key: string): Promise<void> => {
      await (await store.stage(Readable.from([randomBytes(10)]), { signal: never(), maxBytes: 10 })).commit(key);
    };
    const lost = `videos/ab/${'ab'.repeat(32)}-000000000000`;
    await put(thumbnailKey(storageKey));
    await put(lost);
    await put(thumbnailKey(lost));
    const isThere = async () =>
      Promise.all(
        [storageKey, thumbnailKey(storageKey), lost, thumbnailKey(lost)].map(
          async (key) => (await store.stat(key)) !== null,
        ),
      );
    const sweep = (time: number) =>
      Promise.all([app, second].map(({ container }) => container.services.sweep.sweep(new Date(time))));
    await sweep(Date.now());
    expect(await isThere()).toEqual([true, true, true, true]);
    await sweep(Date.now() + 25 * 3600 * 1000);
    expect(await isThere()).toEqual([true, true, false, false]);
  });

  it('is whole again after its next upload when its file was lost', async () => {
    const place = await buildPlace(2);
    const bytes = randomBytes(1_000);
    const { storageKey } = await upload(app, place, bytes);
    await rm(path.join(app.config.dataDir, 'objects', storageKey));
    await upload(second, place, bytes);
    expect(await contentOf(storageKey)).toEqual(bytes);
  });
});
