import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ApiAnswer, ApiClient } from '../support/api-client.js';
import { startApp, type App } from '../support/app.js';
import { buildDataset, buildUser, SMALL_VIDEO, SMALL_VIDEO_FRAMES, type TestUser } from '../support/build.js';
import { grayImage, pngOf } from '../support/images.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';
import { expectFilesToMatchRows, storedFiles } from '../support/stored-files.js';
import { until } from '../support/wait.js';
import { buildZip } from '../support/zip-builder.js';

const MAX_UPLOAD_BYTES = 1_000_000;
const FRAMES_PER_CREDIT = 5;
const PRICE = SMALL_VIDEO_FRAMES / FRAMES_PER_CREDIT;
const SETTINGS = { MAX_UPLOAD_BYTES: String(MAX_UPLOAD_BYTES), UPLOAD_FRAMES_PER_CREDIT: String(FRAMES_PER_CREDIT) };
const TUS = { 'Tus-Resumable': '1.0.0' };

interface UploadBody {
  upload: {
    id: string;
    state: string;
    offset: number;
    length: number;
    videos: { id: string; name: string; frame_count: number; cost: number }[];
    problem: { code: string } | null;
  };
}

const metadataOf = (values: Record<string, string>): string =>
  Object.entries(values)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');

describe('D1.10 resumable uploads', () => {
  let app: App;
  let second: App;
  let user: TestUser;
  let datasetId: string;
  let video: Buffer;

  beforeAll(async () => {
    app = await startApp({ parts: ['http'], settings: SETTINGS });
    second = await startApp({ parts: ['http'], settings: SETTINGS, beside: app });
    video = await readFile(SMALL_VIDEO);
  });
  afterAll(async () => {
    await second.stop();
    await app.stop();
  });
  beforeEach(async () => {
    ({ id: datasetId, user } = await buildDataset(app));
  });
  afterEach(async () => {
    await expectLedgersToBalance(app);
    await expectFilesToMatchRows(app);
  });

  const create = (
    length: number,
    { name = 'tus', api = user.api, ...metadata }: Record<string, string> & { api?: ApiClient } = {},
  ) =>
    api.request('POST', '/api/uploads', {
      headers: {
        ...TUS,
        'Upload-Length': String(length),
        'Upload-Metadata': metadataOf({ name, filename: 'scene.mp4', datasetId, ...metadata }),
      },
    });

  const addressOf = (answer: ApiAnswer<unknown>): string => answer.headers.get('location') ?? '';

  const append = (address: string, offset: number, bytes: Uint8Array, api = user.api) =>
    api.request('PATCH', address, {
      headers: { ...TUS, 'Upload-Offset': String(offset), 'Content-Type': 'application/offset+octet-stream' },
      body: new Uint8Array(bytes),
    });

  const offsetOf = async (address: string, api = user.api): Promise<number> => {
    const answer = await api.request('HEAD', address, { headers: TUS });
    expect(answer.status).toBe(200);
    return Number(answer.headers.get('upload-offset'));
  };

  const statusOf = async (address: string) => (await user.api.get<UploadBody>(address)).body.upload;

  const videosInDataset = () =>
    app.sql<{ id: string; cost: number }>('SELECT id, cost FROM videos WHERE dataset_id = $1', [datasetId]);

  const partialFiles = () => readdir(path.join(app.config.dataDir, 'partials'));

  it('D1.10 takes a video in pieces, over two servers, for the price of one piece', async () => {
    const created = await create(video.length, { name: 'Morning ☀' });
    expect([created.status, created.headers.get('tus-resumable')]).toEqual([201, '1.0.0']);
    const address = addressOf(created);
    expect(address).toMatch(/^\/api\/uploads\/[0-9a-f-]{36}$/);
    const remote = second.client(user.token);
    const cuts = [0, 1, 2000, 2000, 3000, video.length];
    for (let index = 0; index + 1 < cuts.length; index++) {
      const api = index % 2 === 0 ? user.api : remote;
      expect(await offsetOf(address, api)).toBe(cuts[index]);
      const answer = await append(address, cuts[index], video.subarray(cuts[index], cuts[index + 1]), api);
      expect([answer.status, answer.headers.get('upload-offset')]).toEqual([204, String(cuts[index + 1])]);
      if (index + 2 < cuts.length) continue;
      expect(answer.headers.get('upload-state')).toBe('done');
      expect((await videosInDataset()).map(({ id }) => id)).toEqual([answer.headers.get('video-id')]);
    }
    const upload = await statusOf(address);
    expect(upload).toMatchObject({ state: 'done', offset: video.length, length: video.length, problem: null });
    expect(upload.videos).toMatchObject([{ name: 'Morning ☀', frame_count: SMALL_VIDEO_FRAMES, cost: PRICE }]);
    expect(await user.api.credits()).toBe(100 - PRICE);
    const other = await buildDataset(app);
    expect((await other.user.api.upload<{ costDeducted: number }>(other.id, SMALL_VIDEO)).body.costDeducted).toBe(
      PRICE,
    );
    expect([await partialFiles(), (await storedFiles(app)).staging]).toEqual([[], []]);
  });

  it('takes the first bytes with the creation, all of them if need be, and under the alias too', async () => {
    const answer = await user.api.request('POST', '/api/v1/uploads', {
      headers: {
        ...TUS,
        'Content-Type': 'application/offset+octet-stream',
        'Upload-Length': String(video.length),
        'Upload-Metadata': metadataOf({ datasetId, name: 'at once' }),
      },
      body: new Uint8Array(video),
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    expect(addressOf(answer)).toMatch(/^\/api\/v1\/uploads\//);
    expect(answer.headers.get('upload-offset')).toBe(String(video.length));
    expect(await statusOf(addressOf(answer))).toMatchObject({ state: 'done', videos: [{ name: 'at once' }] });
  });

  it('takes an archive like any other upload does', async () => {
    const pictures = Array.from({ length: 6 }, (_, index) => ({ name: `${index}.png`, data: pngOf(grayImage(index)) }));
    const zip = buildZip([...pictures, { name: 'a.mp4', data: video }]);
    const address = addressOf(await create(zip.length, { type: 'zip', name: 'pack' }));
    expect((await append(address, 0, zip)).status).toBe(204);
    expect((await statusOf(address)).videos).toMatchObject([
      { name: 'pack-1', frame_count: 6, cost: 2 },
      { name: 'pack-2', frame_count: 25, cost: 5 },
    ]);
    expect(await user.api.credits()).toBe(93);
  });

  it('tells what it can do, and repeats what it was told', async () => {
    const options = await app.client().request('OPTIONS', '/api/uploads');
    expect(options.status).toBe(204);
    expect(options.headers.get('tus-version')).toBe('1.0.0');
    expect(options.headers.get('tus-extension')).toBe('creation,creation-with-upload,termination,expiration');
    expect(options.headers.get('tus-max-size')).toBe(String(MAX_UPLOAD_BYTES));
    const created = await create(10);
    expect(Date.parse(created.headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now());
    const head = await user.api.request('HEAD', addressOf(created), { headers: TUS });
    expect(head.headers.get('upload-length')).toBe('10');
    expect(head.headers.get('cache-control')).toBe('no-store');
    expect(head.headers.get('upload-metadata')).toBe(metadataOf({ name: 'tus', filename: 'scene.mp4', datasetId }));
  });

  it('keeps what arrived before a connection broke, and goes on from there', async () => {
    const address = addressOf(await create(video.length));
    await new Promise<void>((resolve, reject) => {
      const outgoing = httpRequest(`${app.baseUrl}${address}`, {
        method: 'PATCH',
        agent: false,
        headers: {
          ...TUS,
          Authorization: `Bearer ${user.token}`,
          'Upload-Offset': '0',
          'Content-Type': 'application/offset+octet-stream',
          'Content-Length': String(video.length),
        },
      });
      // The reset is what this test is about.
      outgoing.on('error', () => resolve());
      outgoing.write(video.subarray(0, 3000));
      const partial = app.container.infrastructure.store.partial(path.basename(address));
      until(async () => (await partial.size()) === 3000, { what: 'the bytes that were sent' }).then(
        () => outgoing.destroy(new Error('cut')),
        reject,
      );
    });
    expect(await offsetOf(address, second.client(user.token))).toBe(3000);
    expect((await append(address, 3000, video.subarray(3000))).headers.get('upload-state')).toBe('done');
    expect(await user.api.credits()).toBe(100 - PRICE);
  });

  it('takes an upload from a connection that hangs', async () => {
    const address = addressOf(await create(video.length));
    const outgoing = httpRequest(`${app.baseUrl}${address}`, {
      method: 'PATCH',
      agent: false,
      headers: {
        ...TUS,
        Authorization: `Bearer ${user.token}`,
        'Upload-Offset': '0',
        'Content-Type': 'application/offset+octet-stream',
        'Content-Length': String(video.length),
      },
    });
    outgoing.on('error', () => undefined);
    outgoing.write(video.subarray(0, 1000));
    const partial = app.container.infrastructure.store.partial(path.basename(address));
    await until(async () => (await partial.size()) === 1000, { what: 'the bytes that were sent' });
    // Nobody has told the server that the client lives on elsewhere; here that is another server.
    expect(await offsetOf(address, second.client(user.token))).toBe(1000);
    expect((await append(address, 1000, video.subarray(1000))).status).toBe(204);
    outgoing.destroy();
    expect(await videosInDataset()).toHaveLength(1);
  });

  it('makes one video and one charge of a last piece that is sent twice at once, to two servers, and again', async () => {
    const address = addressOf(await create(video.length));
    await append(address, 0, video.subarray(0, 4000));
    const remote = second.client(user.token);
    const answers = await Promise.all([
      append(address, 4000, video.subarray(4000)),
      append(address, 4000, video.subarray(4000), remote),
      user.api.post(`${address}/finish`),
      remote.post(`${address}/finish`),
    ]);
    // Whoever came too early or too late was told so.
    for (const { status } of answers) expect([200, 204, 409, 423]).toContain(status);
    expect(answers.slice(0, 2).map(({ status }) => status)).toContain(204);
    const again = await append(address, video.length, Buffer.alloc(0), remote);
    expect([again.status, again.headers.get('upload-state')]).toEqual([204, 'done']);
    const finished = await user.api.post<UploadBody>(`${address}/finish`);
    expect([finished.status, finished.body.upload.videos.length]).toEqual([200, 1]);
    expect(await videosInDataset()).toHaveLength(1);
    expect(await user.api.credits()).toBe(100 - PRICE);
    const entries = await app.sql(`SELECT 1 FROM credit_entries WHERE user_id = $1 AND kind = 'upload'`, [user.id]);
    expect(entries).toHaveLength(1);
  });

  it('shows an upload to nobody else', async () => {
    const address = addressOf(await create(video.length));
    const { api } = await buildUser(app);
    expect((await api.request('HEAD', address, { headers: TUS })).status).toBe(404);
    expectProblem(await api.get(address), 'not-found');
    expectProblem(await append(address, 0, video, api), 'not-found');
    expectProblem(await api.request('DELETE', address, { headers: TUS }), 'not-found');
    expectProblem(await api.post(`${address}/finish`), 'not-found');
    expect(await offsetOf(address)).toBe(0);
    expectProblem(await append(`/api/uploads/${randomUUID()}`, 0, video), 'not-found');
    expectProblem(await append('/api/uploads/nonsense', 0, video), 'not-found');
  });

  it('refuses at the creation what would be refused at the end', async () => {
    expectProblem(await create(MAX_UPLOAD_BYTES + 1), 'payload-too-large');
    expectProblem(await create(0), 'unsupported-video');
    expectProblem(await create(10, { datasetId: randomUUID() }), 'not-found');
    expectProblem(await create(10, { datasetId: 'x' }), 'validation-failed', 'datasetId');
    expectProblem(await create(10, { name: ' ' }), 'validation-failed', 'name');
    expectProblem(await create(10, { type: 'video/mp4' }), 'validation-failed', 'type');
    const foreign = await buildDataset(app);
    expectProblem(await create(10, { datasetId: foreign.id }), 'not-found');
    const poor = await buildDataset(app, { user: await buildUser(app, { credits: 0 }) });
    const answer = await poor.user.api.request('POST', '/api/uploads', {
      headers: { ...TUS, 'Upload-Length': '10', 'Upload-Metadata': metadataOf({ datasetId: poor.id, name: 'a' }) },
    });
    expectProblem(answer, 'insufficient-credits');
    expect(await app.sql('SELECT 1 FROM uploads WHERE user_id = ANY ($1::uuid[])', [[user.id, poor.user.id]])).toEqual(
      [],
    );
  });

  it('answers what is no tus with problems', async () => {
    const post = (headers: Record<string, string>) => user.api.request('POST', '/api/uploads', { headers });
    const metadata = { 'Upload-Metadata': metadataOf({ datasetId, name: 'a' }) };
    expectProblem(await post({ 'Upload-Length': '10', ...metadata }), 'unsupported-protocol-version');
    expectProblem(await post({ 'Tus-Resumable': '0.2.2', ...metadata }), 'unsupported-protocol-version');
    expectProblem(await post({ ...TUS, ...metadata }), 'malformed-request');
    expectProblem(await post({ ...TUS, ...metadata, 'Upload-Defer-Length': '1' }), 'malformed-request');
    expectProblem(await post({ ...TUS, ...metadata, 'Upload-Length': '-1' }), 'malformed-request');
    expectProblem(await post({ ...TUS, ...metadata, 'Upload-Length': '1e3' }), 'malformed-request');
    expectProblem(
      await post({ ...TUS, 'Upload-Length': '10', 'Upload-Metadata': 'name not!base64' }),
      'malformed-request',
    );
    expectProblem(await post({ ...TUS, 'Upload-Length': '10' }), 'validation-failed', 'datasetId');
    expectProblem(await post({ ...TUS, ...metadata, 'Upload-Concat': 'final;/a /b' }), 'malformed-request');
    const address = addressOf(await create(10));
    const patch = (headers: Record<string, string>) =>
      user.api.request('PATCH', address, { headers, body: new Uint8Array([1, 2, 3]) });
    const type = { 'Content-Type': 'application/offset+octet-stream' };
    expectProblem(await patch({ ...TUS, ...type }), 'malformed-request');
    expectProblem(await patch({ ...TUS, ...type, 'Upload-Offset': '5' }), 'upload-offset-conflict');
    expectProblem(await patch({ ...type, 'Upload-Offset': '0' }), 'unsupported-protocol-version');
    const untyped = await patch({ ...TUS, 'Upload-Offset': '0', 'Content-Type': 'application/json' });
    expectProblem(untyped, 'unsupported-media-type');
    expectProblem(await append(address, 0, Buffer.alloc(11)), 'payload-too-large');
    expect(await offsetOf(address)).toBe(0);
    expectProblem(await user.api.post(`${address}/finish`), 'upload-incomplete');
  });

  it('lets one be given up, and takes its bytes away', async () => {
    const address = addressOf(await create(video.length));
    await append(address, 0, video.subarray(0, 100));
    expect(await partialFiles()).toContain(path.basename(address));
    expect((await user.api.request('DELETE', address, { headers: TUS })).status).toBe(204);
    expectProblem(await user.api.get(address), 'not-found');
    expect(await partialFiles()).not.toContain(path.basename(address));

    const done = addressOf(await create(video.length));
    await append(done, 0, video);
    expectProblem(await user.api.request('DELETE', done, { headers: TUS }), 'upload-not-open');
    expect(await videosInDataset()).toHaveLength(1);
  });

  it('leaves nothing of a file that is refused at the end but the reason', async () => {
    const text = Buffer.from('this is not a video, whatever it is called');
    const address = addressOf(await create(text.length));
    expectProblem(await append(address, 0, text), 'unsupported-video');
    expect(await statusOf(address)).toMatchObject({ state: 'refused', problem: { code: 'unsupported-video' } });
    expectProblem(await user.api.post(`${address}/finish`), 'unsupported-video');
    expect(await partialFiles()).not.toContain(path.basename(address));
    expect(await user.api.credits()).toBe(100);
    expect(await videosInDataset()).toEqual([]);
  });

  it('keeps a file that cannot be paid until it can', async () => {
    ({ id: datasetId, user } = await buildDataset(app, { user: await buildUser(app, { credits: PRICE - 1 }) }));
    const address = addressOf(await create(video.length));
    const refused = await append(address, 0, video);
    expectProblem(refused, 'insufficient-credits');
    expect(refused.body).toMatchObject({ required: PRICE, balance: PRICE - 1 });
    expect(await statusOf(address)).toMatchObject({ state: 'refused', problem: { code: 'insufficient-credits' } });
    expectProblem(await user.api.post(`${address}/finish`), 'insufficient-credits');
    expect(await user.api.credits()).toBe(PRICE - 1);
    await app.container.infrastructure.uow.run(({ repositories }) =>
      repositories.credits.book({
        ...{ userId: user.id, kind: 'adjustment', amount: 1, reference: null, reason: 'Test', actorId: null },
      }),
    );
    const finished = await Promise.all([
      user.api.post<UploadBody>(`${address}/finish`),
      second.client(user.token).post<UploadBody>(`${address}/finish`),
    ]);
    expect(finished.map(({ status, body }) => [status, body.upload.state])).toEqual([
      [200, 'done'],
      [200, 'done'],
    ]);
    expect(await user.api.credits()).toBe(0);
    expect(await videosInDataset()).toHaveLength(1);
  });

  it('refuses an upload whose dataset went away meanwhile', async () => {
    const address = addressOf(await create(video.length));
    await user.api.delete(`/api/dataset/${datasetId}`);
    expectProblem(await append(address, 0, video), 'not-found');
    expect(await statusOf(address)).toMatchObject({ state: 'refused', problem: { code: 'not-found' } });
    expect(await user.api.credits()).toBe(100);
  });

  it('bounds what a user has begun and not finished, also when everything is begun at once', async () => {
    const answers = await Promise.all(Array.from({ length: 25 }, () => create(10)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
    for (const answer of answers) if (answer.status !== 201) expectProblem(answer, 'too-many-requests');
  });

  it('forgets uploads whose time is over, their bytes included, but not one that is being written', async () => {
    const [old, written, young] = [
      addressOf(await create(10)),
      addressOf(await create(10)),
      addressOf(await create(10)),
    ];
    for (const address of [old, written, young]) await append(address, 0, Buffer.from('abc'));
    const age = (address: string, more = '') =>
      app.sql(`UPDATE uploads SET expires_at = now() - interval '1 second'${more} WHERE id = $1`, [
        path.basename(address),
      ]);
    await age(old);
    await age(written, `, lock_token = gen_random_uuid(), lock_expires_at = now() + interval '1 minute'`);
    expectProblem(await append(old, 3, Buffer.from('abc')), 'upload-expired');
    const orphan = randomUUID();
    await app.container.infrastructure.store.partial(orphan).append(Readable.from(['x']), 0);
    await Promise.all([
      app.container.services.uploads.removeExpired(),
      second.container.services.uploads.removeExpired(),
    ]);
    expectProblem(await user.api.get(old), 'not-found');
    expect((await statusOf(written)).offset).toBe(3);
    expect((await statusOf(young)).offset).toBe(3);
    const files = await partialFiles();
    expect(files).not.toContain(orphan);
    expect(files).not.toContain(path.basename(old));
    expect(files).toContain(path.basename(written));
  });

  it('finishes an upload that a server left at its last byte, and one that a server died with', async () => {
    const [left, dead] = [
      addressOf(await create(video.length)),
      addressOf(await create(video.length, { name: 'dead' })),
    ];
    const { store, repositories } = app.container.infrastructure;
    for (const address of [left, dead]) {
      await store.partial(path.basename(address)).append(Readable.from([video]), 0);
      expect(await offsetOf(address)).toBe(video.length);
    }
    await repositories.uploads.claim(path.basename(dead), randomUUID(), -1);
    await app.sql(`UPDATE uploads SET updated_at = now() - interval '1 minute' WHERE user_id = $1`, [user.id]);
    await Promise.all([app.container.services.uploads.takeOver(), second.container.services.uploads.takeOver()]);
    for (const address of [left, dead]) {
      await until(async () => (await statusOf(address)).state === 'done', { what: 'the finished upload' });
    }
    expect(await videosInDataset()).toHaveLength(2);
    expect(await user.api.credits()).toBe(100 - 2 * PRICE);
  });

  it('goes on with an upload that has lost bytes which its row knows of, as after a power cut', async () => {
    const [left, dead] = [addressOf(await create(video.length)), addressOf(await create(video.length))];
    const { store, repositories } = app.container.infrastructure;
    for (const address of [left, dead]) {
      const id = path.basename(address);
      await store.partial(id).append(Readable.from([video.subarray(0, 100)]), 0);
      await app.sql(`UPDATE uploads SET received = length, updated_at = now() - interval '1 minute' WHERE id = $1`, [
        id,
      ]);
    }
    await repositories.uploads.claim(path.basename(dead), randomUUID(), -1);
    await app.sql(`UPDATE uploads SET updated_at = now() - interval '1 minute' WHERE user_id = $1`, [user.id]);
    await app.container.services.uploads.takeOver();
    for (const address of [left, dead]) {
      await until(async () => (await statusOf(address)).state !== 'processing', { what: 'the end of the attempt' });
      expect(await statusOf(address)).toMatchObject({ state: 'receiving', offset: 100, problem: null });
      expect((await append(address, 100, video.subarray(100))).headers.get('upload-state')).toBe('done');
    }
    expect(await user.api.credits()).toBe(100 - 2 * PRICE);
    expect((await storedFiles(app)).staging).toEqual([]);
  });

  it('refuses a file on which the decoder dies every time, instead of taking it over for ever', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'dying-decoder-'));
    for (const name of ['ffmpeg', 'ffprobe']) {
      await writeFile(path.join(folder, name), '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
    }
    const settings = { ...SETTINGS, FFMPEG_PATH: path.join(folder, 'ffmpeg') };
    const dying = await startApp({ parts: ['http'], settings, alone: true });
    try {
      const built = await buildDataset(dying);
      const metadata = metadataOf({ datasetId: built.id, name: 'clip', filename: 'clip.mp4' });
      const headers = { ...TUS, 'Upload-Length': String(video.length), 'Upload-Metadata': metadata };
      const address = addressOf(await built.user.api.request('POST', '/api/uploads', { headers }));
      const id = path.basename(address);
      const { store, repositories } = dying.container.infrastructure;
      await store.partial(id).append(Readable.from([video]), 0);
      for (const state of ['receiving', 'receiving', 'refused']) {
        await expect(dying.container.services.uploads.finish(built.user.id, id)).rejects.toMatchObject({
          code: state === 'refused' ? 'unsupported-video' : 'service-unavailable',
        });
        expect((await repositories.uploads.getAny(id)).state).toBe(state);
      }
      await dying.container.services.uploads.takeOver();
      expect((await repositories.uploads.getAny(id)).problem?.detail).toContain('3 times');
      expect(await built.user.api.credits()).toBe(100);
      expect((await storedFiles(dying)).staging).toEqual([]);
    } finally {
      await dying.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('books nothing for a server that has lost its claim', async () => {
    const address = addressOf(await create(video.length));
    await append(address, 0, video.subarray(0, 5));
    const id = path.basename(address);
    const { infrastructure } = app.container;
    const booking = infrastructure.uow.run(async ({ repositories }) => {
      await repositories.credits.book({
        ...{ userId: user.id, kind: 'adjustment', amount: -1, reference: null, reason: 'Test', actorId: null },
      });
      await repositories.uploads.complete(id, randomUUID(), [randomUUID()]);
    });
    await expect(booking).rejects.toMatchObject({ code: 'service-unavailable' });
    expect(await user.api.credits()).toBe(100);
  });

  it('leaves an upload that a shutdown interrupts to the next start', async () => {
    const third = await startApp({ parts: ['http'], settings: SETTINGS, beside: app });
    const address = addressOf(await create(video.length));
    const sending = append(address, 0, video, third.client(user.token)).catch((error: unknown) => error);
    const id = path.basename(address);
    await until(
      async () => {
        const [{ state }] = await app.sql<{ state: string }>('SELECT state FROM uploads WHERE id = $1', [id]);
        return state !== 'receiving';
      },
      { what: 'the beginning of the end' },
    );
    await third.stop();
    await sending;
    const finished = await user.api.post<UploadBody>(`${address}/finish`);
    expect([finished.status, finished.body.upload.state]).toEqual([200, 'done']);
    expect(await videosInDataset()).toHaveLength(1);
    expect(await user.api.credits()).toBe(100 - PRICE);
    expect((await storedFiles(app)).staging).toEqual([]);
  });
});
