import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import {
  buildDataset,
  buildJob,
  buildUser,
  buildVideo,
  fixture,
  PARAMETERS,
  SMALL_VIDEO,
  SMALL_VIDEO_FRAMES,
  TEXTURED_VIDEO,
  type TestUser,
  type TestVideo,
} from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { expectFilesToMatchRows } from '../support/stored-files.js';

interface VideoBody {
  id: string;
  name: string;
  frame_count: number;
}
interface VideoPage {
  videos: VideoBody[];
  nextCursor: string | null;
}

describe('videos of a dataset', () => {
  let app: App;
  let second: App;
  let file: Buffer;
  beforeAll(async () => {
    app = await startApp();
    second = await startApp({ parts: ['http'], beside: app });
    file = await readFile(SMALL_VIDEO);
  });
  afterAll(async () => {
    await second.stop();
    await app.stop();
  });

  const addressOf = ({ datasetId, id }: Pick<TestVideo, 'datasetId' | 'id'>): string =>
    `/api/dataset/${datasetId}/videos/${id}`;

  /** @returns the videos in the order in which they were uploaded */
  async function buildVideos(count: number): Promise<TestVideo[]> {
    const { id: datasetId, user } = await buildDataset(app);
    const videos: TestVideo[] = [];
    for (let index = 0; index < count; index++) videos.push(await buildVideo(app, { user, datasetId }));
    return videos;
  }

  async function namesOf({ user, datasetId }: TestVideo): Promise<string[]> {
    const { body } = await user.api.get<VideoPage>(`/api/dataset/${datasetId}/videos`);
    return body.videos.map(({ id }) => id);
  }

  const versionOf = async ({ user, datasetId }: TestVideo): Promise<string | null> =>
    (await user.api.get(`/api/dataset/${datasetId}`)).headers.get('etag');

  it('D1.7 D2.6 D2.7 are listed, read, and lie in the object store under the key of their row', async () => {
    const [first, last] = await buildVideos(2);
    const { body } = await first.user.api.get<VideoPage>(`/api/dataset/${first.datasetId}/videos`);
    expect(body.videos.map(({ id }) => id)).toEqual([first.id, last.id]);
    expect(body.nextCursor).toBeNull();
    const read = await first.user.api.get<{ video: VideoBody }>(addressOf(first));
    expect(read.body.video).toEqual(body.videos[0]);
    expect(read.body.video.frame_count).toBe(SMALL_VIDEO_FRAMES);
    const dataset = await first.user.api.get<{ dataset: { videos: VideoBody[] } }>(`/api/dataset/${first.datasetId}`);
    expect(dataset.body.dataset.videos).toEqual(body.videos);
    const [row] = await app.sql<{ storage_key: string }>('SELECT storage_key FROM videos WHERE id = $1', [first.id]);
    expect(await readFile(path.join(app.config.dataDir, 'objects', row.storage_key))).toEqual(file);
    await expectFilesToMatchRows(app);
  });

  it('of a codec that is not accepted are refused by its name, with those that are', async () => {
    const { id, user } = await buildDataset(app);
    const answer = await user.api.upload(id, new Uint8Array(await readFile(fixture('media/cinepak.avi'))));
    expectProblem(answer, 'unsupported-video');
    expect(answer.body).toMatchObject({ detail: expect.stringMatching(/cinepak.*h264, hevc/) as string });
  });

  it('have the size of the upright picture', async () => {
    const { id, user } = await buildDataset(app);
    const answer = await user.api.upload(id, new Uint8Array(await readFile(fixture('media/h264-rotated.mp4'))));
    expect(answer.body).toMatchObject({ video: { width: 64, height: 96 } });
  });

  it('are renamed, which changes the version of the dataset', async () => {
    const [video] = await buildVideos(1);
    const before = await versionOf(video);
    const answer = await video.user.api.put<{ message: string; video: VideoBody }>(addressOf(video), {
      name: ' Night ',
    });
    expect([answer.status, answer.body.message, answer.body.video.name]).toEqual([
      200,
      'Video updated successfully',
      'Night',
    ]);
    expect((await video.user.api.get<{ video: VideoBody }>(addressOf(video))).body.video.name).toBe('Night');
    expect(await versionOf(video)).not.toBe(before);
  });

  it.each([
    ['no name', {}, 'name'],
    ['an empty name', { name: ' ' }, 'name'],
    ['a long name', { name: 'a'.repeat(201) }, 'name'],
    ['NUL in the name', { name: 'a\0' }, 'name'],
    ['a price', { name: 'a', cost: 0 }, 'cost'],
  ])('are not renamed with %s', async (_name, body, field) => {
    const [video] = await buildVideos(1);
    expectProblem(await video.user.api.put(addressOf(video), body), 'validation-failed', field);
  });

  it('are deleted, the others keep their order, and the price is not given back', async () => {
    const [first, middle, last] = await buildVideos(3);
    const credits = await first.user.api.credits();
    const before = await versionOf(first);
    const answer = await first.user.api.delete(addressOf(middle));
    expect([answer.status, answer.body]).toEqual([200, { message: 'Video deleted successfully' }]);
    expect(await namesOf(first)).toEqual([first.id, last.id]);
    expect(await versionOf(first)).not.toBe(before);
    expect(await first.user.api.credits()).toBe(credits);
    expectProblem(await first.user.api.get(addressOf(middle)), 'not-found');
    expectProblem(await first.user.api.put(addressOf(middle), { name: 'a' }), 'not-found');
    expectProblem(await first.user.api.delete(addressOf(middle)), 'not-found');
    expectProblem(await first.user.api.get(`${addressOf(middle)}/content`), 'not-found');
    expectProblem(await first.user.api.get(`${addressOf(middle)}/thumbnail`), 'not-found');
    const submission = await first.user.api.post<{ jobId: string[] }>('/api/inference', {
      datasetId: first.datasetId,
      range: '0-1',
      parameters: PARAMETERS,
    });
    const [job] = await app.sql('SELECT goal_video_id, current_video_id FROM inference_jobs WHERE id = $1', [
      submission.body.jobId[0],
    ]);
    expect(job).toEqual({ goal_video_id: first.id, current_video_id: last.id });
  });

  it('are deleted once, however many try, on two servers', async () => {
    const [video] = await buildVideos(1);
    const clients = [video.user.api, second.client(video.user.token)];
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) => clients[index % 2].delete(addressOf(video))),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404, 404, 404, 404]);
  });

  it('can be deleted while a job waits for them: it completes, and then the file may go', async () => {
    const [video] = await buildVideos(1);
    const job = await buildJob(app, { video });
    expect((await video.user.api.delete(addressOf(video))).status).toBe(200);
    await app.sql(`UPDATE videos SET deleted_at = now() - interval '8 days' WHERE id = $1`, [video.id]);
    await app.container.services.retention.purge();
    expect((await jobEnd(app, job)).status).toBe('COMPLETED');
    await app.container.services.retention.purge();
    const [row] = await app.sql('SELECT storage_key FROM videos WHERE id = $1', [video.id]);
    expect(row).toEqual({ storage_key: null });
  });

  it('page through 10,000 in order, without gaps while some are deleted', async () => {
    const [video] = await buildVideos(1);
    await app.sql(
      `INSERT INTO videos (id, dataset_id, name, storage_key, size_bytes, sha256, container, codec, width, height,
                           frame_count, frame_rate, duration_seconds, cost)
       SELECT gen_random_uuid(), dataset_id, 'video ' || n, storage_key, size_bytes, sha256, container, codec, width,
              height, frame_count, frame_rate, duration_seconds, 0
       FROM videos, generate_series(2, 10000) AS n WHERE id = $1 ORDER BY n`,
      [video.id],
    );
    const seen: string[] = [];
    let cursor: string | null = '';
    do {
      const query: string = cursor === '' ? '' : `?cursor=${cursor}`;
      const { body } = await video.user.api.get<VideoPage>(`/api/dataset/${video.datasetId}/videos${query}`);
      seen.push(...body.videos.map(({ name }) => name));
      if (seen.length === 200) {
        await app.sql(
          `UPDATE videos SET deleted_at = now() WHERE dataset_id = $1 AND name IN ('video 3', 'video 9999')`,
          [video.datasetId],
        );
      }
      cursor = body.nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(9_999);
    expect(seen.slice(1)).toEqual(
      Array.from({ length: 9_999 }, (_, index) => `video ${index + 2}`).filter((name) => name !== 'video 9999'),
    );
  });

  it.each(['limit=0', 'limit=201', 'cursor=nonsense', 'tags=a'])('refuse the list ?%s', async (query) => {
    const { user, id } = await buildDataset(app);
    expectProblem(await user.api.get(`/api/dataset/${id}/videos?${query}`), 'validation-failed');
  });

  it('are not there for others, in other datasets, or under what is no id', async () => {
    const [video] = await buildVideos(1);
    const { user } = video;
    const stranger = await buildUser(app);
    const other = await buildDataset(app, { user });
    const own = await buildDataset(app, { user: stranger });
    const places: [TestUser, string][] = [
      [stranger, addressOf(video)],
      [stranger, addressOf({ ...video, datasetId: own.id })],
      [user, addressOf({ ...video, datasetId: other.id })],
      [user, addressOf({ ...video, id: randomUUID() })],
      [user, addressOf({ ...video, id: 'not-an-id' })],
      [user, addressOf({ ...video, datasetId: 'not-an-id' })],
    ];
    for (const [{ api }, address] of places) {
      expectProblem(await api.get(address), 'not-found');
      expectProblem(await api.put(address, { name: 'mine' }), 'not-found');
      expectProblem(await api.delete(address), 'not-found');
      expectProblem(await api.get(`${address}/content`), 'not-found');
      expectProblem(await api.get(`${address}/thumbnail`), 'not-found');
    }
    expectProblem(await stranger.api.get(`/api/dataset/${video.datasetId}/videos`), 'not-found');
    expect((await user.api.get(addressOf(video))).status).toBe(200);
  });

  describe('as files', () => {
    let video: TestVideo;
    let address: string;
    beforeAll(async () => {
      [video] = await buildVideos(1);
      address = `${addressOf(video)}/content`;
      await video.user.api.put(addressOf(video), { name: 'Täst "1"/2' });
    });

    const download = async (headers: Record<string, string>, method = 'GET') => {
      const response = await fetch(`${app.baseUrl}${address}`, {
        method,
        headers: { Authorization: `Bearer ${video.user.token}`, ...headers },
      });
      return { response, bytes: Buffer.from(await response.arrayBuffer()) };
    };

    it('are downloaded whole, with a name, a type and a tag', async () => {
      const { response, bytes } = await download({ 'Accept-Encoding': 'gzip' });
      expect(response.status).toBe(200);
      expect(bytes).toEqual(file);
      const [row] = await app.sql<{ sha256: string }>('SELECT sha256 FROM videos WHERE id = $1', [video.id]);
      const { headers } = response;
      expect(headers.get('etag')).toBe(`"${row.sha256}"`);
      expect(headers.get('content-type')).toBe('video/mp4');
      expect(headers.get('content-length')).toBe(String(file.length));
      expect(headers.get('accept-ranges')).toBe('bytes');
      expect(headers.get('content-encoding')).toBeNull();
      expect(headers.get('cache-control')).toContain('private');
      expect(headers.get('content-disposition')).toBe(
        `attachment; filename="T_st _1__2.mp4"; filename*=UTF-8''T%C3%A4st%20_1__2.mp4`,
      );
    });

    it.each<[string, (size: number) => [number, number]]>([
      ['bytes=0-0', () => [0, 0]],
      ['bytes=0-99', () => [0, 99]],
      ['Bytes=5-', (size) => [5, size - 1]],
      ['bytes=-1', (size) => [size - 1, size - 1]],
      ['bytes=-100', (size) => [size - 100, size - 1]],
      ['bytes=-99999999', (size) => [0, size - 1]],
      ['bytes=10-99999999', (size) => [10, size - 1]],
      ['bytes= 1-2 ', () => [1, 2]],
    ])('are downloaded in part for Range: %s', async (range, expected) => {
      const [start, end] = expected(file.length);
      const { response, bytes } = await download({ Range: range });
      expect(response.status).toBe(206);
      expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end}/${file.length}`);
      expect(response.headers.get('content-length')).toBe(String(end - start + 1));
      expect(bytes).toEqual(file.subarray(start, end + 1));
    });

    it.each(['bytes=0-1,5-6', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=5-2', 'pages=1-2', '0-5', 'bytes 0-5'])(
      'are downloaded whole for Range: %s',
      async (range) => {
        const { response, bytes } = await download({ Range: range });
        expect([response.status, response.headers.get('content-range')]).toEqual([200, null]);
        expect(bytes).toEqual(file);
      },
    );

    it.each(['bytes=99999999-', 'bytes=99999999-999999999', 'bytes=-0'])(
      'have nothing to give for Range: %s',
      async (range) => {
        const answer = await video.user.api.get(address, { headers: { Range: range } });
        expectProblem(answer, 'range-not-satisfiable');
        expect(answer.headers.get('content-range')).toBe(`bytes */${file.length}`);
        expect(answer.headers.get('content-disposition')).toBeNull();
      },
    );

    it('are downloaded in part only of the file that the caller means', async () => {
      const etag = (await download({})).response.headers.get('etag') ?? '';
      const Range = 'bytes=0-9';
      expect((await download({ Range, 'If-Range': etag })).response.status).toBe(206);
      for (const other of ['"other"', `W/${etag}`, 'Sun, 22 Nov 2026 00:00:00 GMT']) {
        expect((await download({ Range, 'If-Range': other })).response.status).toBe(200);
      }
    });

    it('are not sent again to who has them, and told of by HEAD without a byte', async () => {
      const etag = (await download({})).response.headers.get('etag') ?? '';
      for (const method of ['GET', 'HEAD']) {
        const known = await download({ 'If-None-Match': `"x", ${etag}`, Range: 'bytes=0-1' }, method);
        expect([known.response.status, known.bytes.length]).toEqual([304, 0]);
      }
      const head = await download({ Range: 'bytes=0-1' }, 'HEAD');
      expect([head.response.status, head.bytes.length]).toEqual([200, 0]);
      expect(head.response.headers.get('content-length')).toBe(String(file.length));
    });

    it('have the type and extension of their container', async () => {
      const webm = await buildVideo(app, { user: video.user, file: fixture('media/vp8.webm') });
      await video.user.api.put(addressOf(webm), { name: 'Clip.WEBM' });
      const { headers } = await video.user.api.request('HEAD', `${addressOf(webm)}/content`);
      expect([headers.get('content-type'), headers.get('content-disposition')]).toEqual([
        'video/webm',
        `attachment; filename="Clip.WEBM"; filename*=UTF-8''Clip.WEBM`,
      ]);
    });

    it('are saved by the client of this project', async () => {
      const folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-download-'));
      try {
        const client = createClient({ baseUrl: app.baseUrl, token: video.user.token });
        const saved = await client.getVideoContent(video.datasetId, video.id, path.join(folder, 'video.mp4'));
        expect(await readFile(saved.path)).toEqual(file);
        const picture = await client.getVideoThumbnail(video.datasetId, video.id, path.join(folder, 'video.jpg'));
        expect((await readFile(picture.path)).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
        expect((await client.listVideos(video.datasetId)).videos).toHaveLength(1);
        expect((await client.getVideo(video.datasetId, video.id)).video.id).toBe(video.id);
        await client.updateVideo(video.datasetId, video.id, { name: 'again' });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });

  it('have a small picture, made once and gone with the file', async () => {
    const { user } = await buildDataset(app, { user: await buildUser(app, { credits: 1000 }) });
    const video = await buildVideo(app, { user, file: TEXTURED_VIDEO });
    const address = `${addressOf(video)}/thumbnail`;
    const look = async (base: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${base}${address}`, {
        headers: { Authorization: `Bearer ${user.token}`, ...headers },
      });
      return { response, bytes: Buffer.from(await response.arrayBuffer()) };
    };
    const [one, two] = await Promise.all([look(app.baseUrl), look(second.baseUrl)]);
    expect([one.response.status, two.response.status]).toEqual([200, 200]);
    expect(one.bytes).toEqual(two.bytes);
    expect(one.response.headers.get('content-type')).toBe('image/jpeg');
    expect(one.bytes.length).toBeGreaterThan(1_000);
    expect(one.bytes.length).toBeLessThan(60_000);
    const etag = one.response.headers.get('etag') ?? '';
    expect((await look(app.baseUrl, { 'If-None-Match': etag })).response.status).toBe(304);
    expect((await user.api.request('HEAD', address)).headers.get('content-length')).toBe(String(one.bytes.length));

    const { store } = app.container.infrastructure;
    const pictures = async (): Promise<number> => {
      let count = 0;
      for await (const { bytes } of store.list('thumbnails/')) count += bytes > 0 ? 1 : 0;
      return count;
    };
    const before = await pictures();
    await user.api.delete(addressOf(video));
    await app.sql(`UPDATE videos SET deleted_at = now() - interval '8 days' WHERE id = $1`, [video.id]);
    await app.container.services.retention.purge();
    expect(await pictures()).toBe(before - 1);
  });
});
