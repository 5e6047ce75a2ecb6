import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProblemCode } from '../../src/contract/problem.contract.js';
import { startApp, type App } from '../support/app.js';
import { buildDataset, buildUser, fixture, SMALL_VIDEO, SMALL_VIDEO_FRAMES, type TestUser } from '../support/build.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';
import { expectFilesToMatchRows, storedFiles } from '../support/stored-files.js';
import { until } from '../support/wait.js';

const MAX_UPLOAD_BYTES = 1_000_000;
const FRAMES_PER_CREDIT = 5;
const PRICE = SMALL_VIDEO_FRAMES / FRAMES_PER_CREDIT;

interface Uploaded {
  message: string;
  id: string;
  costDeducted: number;
  video: Record<string, unknown>;
}

describe('uploads', () => {
  let app: App;
  let user: TestUser;
  let datasetId: string;
  let smallVideo: Uint8Array<ArrayBuffer>;

  beforeAll(async () => {
    app = await startApp({
      parts: ['http'],
      settings: { MAX_UPLOAD_BYTES: String(MAX_UPLOAD_BYTES), UPLOAD_FRAMES_PER_CREDIT: String(FRAMES_PER_CREDIT) },
    });
    smallVideo = new Uint8Array(await readFile(SMALL_VIDEO));
  });
  afterAll(() => app.stop());
  beforeEach(async () => {
    ({ id: datasetId, user } = await buildDataset(app));
  });

  const send = (form: FormData) => user.api.request('POST', `/api/dataset/${datasetId}/videos`, { body: form });

  /** Nothing paid, nothing stored, nothing half done. */
  async function expectNothingHappened(credits = 100): Promise<void> {
    expect(await user.api.credits()).toBe(credits);
    const { body } = await user.api.get<{ dataset: { videos: unknown[] } }>(`/api/dataset/${datasetId}`);
    expect(body.dataset.videos).toEqual([]);
    await until(async () => (await storedFiles(app)).staging.length === 0, { what: 'an empty staging folder' });
    await expectFilesToMatchRows(app);
    await expectLedgersToBalance(app);
  }

  it('takes a video, says what it is and what it cost', async () => {
    const { status, body } = await user.api.upload<Uploaded>(datasetId, SMALL_VIDEO, 'Morning ☀');
    expect(status).toBe(201);
    expect(body).toMatchObject({ message: 'Morning ☀ - video added', costDeducted: PRICE });
    expect(body.video).toMatchObject({
      id: body.id,
      name: 'Morning ☀',
      frame_count: SMALL_VIDEO_FRAMES,
      codec: 'h264',
      size_bytes: smallVideo.length,
      sha256: createHash('sha256').update(smallVideo).digest('hex'),
    });
    expect(await user.api.credits()).toBe(100 - PRICE);
    const read = await user.api.get<{ dataset: { videos: unknown[] } }>(`/api/dataset/${datasetId}`);
    expect(read.body.dataset.videos).toEqual([body.video]);
    await expectFilesToMatchRows(app);
    expect((await storedFiles(app)).staging).toEqual([]);
    await expectLedgersToBalance(app);
  });

  it.each(['h264.mkv', 'vp8.webm', 'mpeg4.avi', 'h264.ts'])(
    'takes %s whatever it is called, and counts its frames exactly',
    async (file) => {
      const bytes = new Uint8Array(await readFile(fixture(`media/${file}`)));
      const { status, body } = await user.api.upload<Uploaded>(datasetId, bytes);
      expect(status, JSON.stringify(body)).toBe(201);
      expect(body.costDeducted).toBe(Math.ceil(Number(body.video['frame_count']) / FRAMES_PER_CREDIT));
    },
  );

  it('takes fields after the file as well as before it', async () => {
    const form = new FormData();
    form.set('content', new Blob([smallVideo]), 'a.mp4');
    form.set('type', 'video');
    form.set('name', 'last');
    expect((await send(form)).status).toBe(201);
  });

  it.each<[string, () => Promise<Uint8Array<ArrayBuffer>>, ProblemCode]>([
    ['random bytes', () => Promise.resolve(new Uint8Array(randomBytes(50_000))), 'unsupported-video'],
    ['text', () => Promise.resolve(new TextEncoder().encode('not a video\n'.repeat(1000))), 'unsupported-video'],
    ['nothing', () => Promise.resolve(new Uint8Array()), 'unsupported-video'],
    ['one byte', () => Promise.resolve(new Uint8Array([0])), 'unsupported-video'],
    ['a ZIP', () => Promise.resolve(new Uint8Array(Buffer.from(EMPTY_ZIP, 'hex'))), 'unsupported-video'],
    ['a picture', () => bytesOf('picture.png'), 'unsupported-video'],
    ['a JPEG', () => bytesOf('picture.jpg'), 'unsupported-video'],
    ['an animated GIF', () => bytesOf('picture.gif'), 'unsupported-video'],
    ['sound', () => bytesOf('audio-only.m4a'), 'unsupported-video'],
    ['sound with a cover picture', () => bytesOf('audio-with-cover.m4a'), 'unsupported-video'],
    ['a WAV', () => bytesOf('audio-only.wav'), 'unsupported-video'],
    ['a video cut in the middle', async () => (await bytesOf('h264-index-first.mp4')).slice(0, 6000), 'corrupt-video'],
  ])('refuses %s', async (_name, bytes, code) => {
    expectProblem(await user.api.upload(datasetId, await bytes()), code);
    await expectNothingHappened();
  });

  it.each<[string, (form: FormData) => void, ProblemCode, string?]>([
    ['no file', (form) => form.delete('content'), 'validation-failed', 'content'],
    ['no name', (form) => form.delete('name'), 'validation-failed', 'name'],
    ['an empty name', (form) => form.set('name', ' '), 'validation-failed', 'name'],
    ['NUL in the name', (form) => form.set('name', 'a\0b'), 'validation-failed', 'name'],
    ['a name that is too long', (form) => form.set('name', 'a'.repeat(201)), 'validation-failed', 'name'],
    ['a field that is too long', (form) => form.set('name', 'a'.repeat(10_000)), 'malformed-multipart'],
    ['two names', (form) => form.append('name', 'again'), 'validation-failed', 'name'],
    ['an unknown type', (form) => form.set('type', 'audio'), 'validation-failed', 'type'],
    ['an unknown field', (form) => form.set('price', '0'), 'validation-failed', 'price'],
    ['a field named __proto__', (form) => form.set('__proto__', 'x'), 'validation-failed'],
    ['text where the file belongs', (form) => form.set('content', 'text'), 'validation-failed'],
    ['the file under another name', (form) => form.set('video', new Blob(['x']), 'a.mp4'), 'malformed-multipart'],
    ['two files', (form) => form.append('content', new Blob(['x']), 'b.mp4'), 'malformed-multipart'],
    ['a huge array index', (form) => form.set('a[999999999]', 'x'), 'malformed-multipart'],
    ['deeply nested names', (form) => form.set(`a${'[b]'.repeat(30)}`, 'x'), 'malformed-multipart'],
    ['a very long field name', (form) => form.set('n'.repeat(5_000), 'x'), 'malformed-multipart'],
  ])('refuses a form with %s', async (_name, change, code, field) => {
    const form = new FormData();
    form.set('name', 'a video');
    form.set('content', new Blob([smallVideo]), 'a.mp4');
    change(form);
    expectProblem(await send(form), code, field);
    await expectNothingHappened();
  });

  it('refuses ten thousand parts at once, quickly', async () => {
    const form = new FormData();
    for (let part = 0; part < 10_000; part++) form.append(`field${part}`, 'x');
    const startedAt = performance.now();
    expectProblem(await send(form), 'malformed-multipart');
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    await expectNothingHappened();
  });

  it.each<[string, string, string, ProblemCode]>([
    ['JSON', '{}', 'application/json', 'unsupported-media-type'],
    ['a bare video', 'x', 'video/mp4', 'unsupported-media-type'],
    ['a form without a boundary', 'x', 'multipart/form-data', 'malformed-multipart'],
    [
      'a form that is cut',
      '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx',
      'multipart/form-data; boundary=b',
      'malformed-multipart',
    ],
    ['a form of another boundary', '--c\r\n\r\n--c--', 'multipart/form-data; boundary=b', 'malformed-multipart'],
    ['an empty form', '--b--\r\n', 'multipart/form-data; boundary=b', 'validation-failed'],
    [
      'a part without a name',
      '--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--\r\n',
      'multipart/form-data; boundary=b',
      'validation-failed',
    ],
    [
      'a flood of part headers',
      `--b\r\n${'X-A: b\r\n'.repeat(5_000)}\r\nx\r\n--b--\r\n`,
      'multipart/form-data; boundary=b',
      'malformed-multipart',
    ],
  ])('refuses %s', async (_name, body, type, code) => {
    const answer = await user.api.request('POST', `/api/dataset/${datasetId}/videos`, {
      body,
      headers: { 'Content-Type': type },
    });
    expectProblem(answer, code);
    await expectNothingHappened();
  });

  it('refuses a file beyond the limit and takes one just within it', async () => {
    const tooLarge = new Uint8Array(MAX_UPLOAD_BYTES + 1);
    tooLarge.set(smallVideo);
    expectProblem(await user.api.upload(datasetId, tooLarge), 'payload-too-large');
    await expectNothingHappened();
    const padded = new Uint8Array(MAX_UPLOAD_BYTES);
    padded.set(smallVideo);
    // A box that players skip fills the rest (ISO/IEC 14496-12, `free`).
    new DataView(padded.buffer).setUint32(smallVideo.length, MAX_UPLOAD_BYTES - smallVideo.length);
    padded.set(new TextEncoder().encode('free'), smallVideo.length + 4);
    expect((await user.api.upload(datasetId, padded)).status).toBe(201);
  });

  it('refuses before it reads when nothing could be paid, and after counting when the price is too high', async () => {
    ({ id: datasetId, user } = await buildDataset(app, { user: await buildUser(app, { credits: 0 }) }));
    const early = await user.api.upload(datasetId, new Uint8Array([1]));
    expectProblem(early, 'insufficient-credits');
    expect(early.body).toMatchObject({ required: 1, balance: 0 });
    await expectNothingHappened(0);

    ({ id: datasetId, user } = await buildDataset(app, { user: await buildUser(app, { credits: PRICE - 1 }) }));
    const late = await user.api.upload(datasetId, SMALL_VIDEO);
    expectProblem(late, 'insufficient-credits');
    expect(late.body).toMatchObject({ required: PRICE, balance: PRICE - 1 });
    await expectNothingHappened(PRICE - 1);
  });

  it('leaves nothing of an upload that is cut half-way', async () => {
    await new Promise<void>((resolve, reject) => {
      const request = httpRequest(`${app.baseUrl}/api/dataset/${datasetId}/videos`, {
        method: 'POST',
        agent: false,
        headers: {
          Authorization: `Bearer ${user.token}`,
          'Content-Type': 'multipart/form-data; boundary=b',
          'Content-Length': '900000',
        },
      });
      // The reset is what this test is about.
      request.on('error', () => resolve());
      request.write('--b\r\nContent-Disposition: form-data; name="content"; filename="a.mp4"\r\n\r\n');
      request.write(Buffer.from(smallVideo));
      until(async () => (await storedFiles(app)).staging.length > 0, { what: 'a file in staging' }).then(
        () => request.destroy(new Error('cut')),
        reject,
      );
    });
    await expectNothingHappened();
  });

  it('gives back the place of a dataset that is deleted while its video arrives', async () => {
    const form = new FormData();
    form.set('name', 'too late');
    form.set('content', new Blob([smallVideo]), 'a.mp4');
    const uploads = Array.from({ length: 3 }, () => send(form));
    await user.api.delete(`/api/dataset/${datasetId}`);
    const answers = await Promise.all(uploads);
    const taken = answers.filter(({ status }) => status === 201).length;
    for (const answer of answers) if (answer.status !== 201) expectProblem(answer, 'not-found');
    expect(await user.api.credits()).toBe(100 - taken * PRICE);
    const rows = await app.sql('SELECT 1 FROM videos WHERE dataset_id = $1', [datasetId]);
    expect(rows).toHaveLength(taken);
  });
});

async function bytesOf(file: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(fixture(`media/${file}`)));
}

/** The end record of an archive without entries, after a local header's signature. */
const EMPTY_ZIP = `504b0304${'00'.repeat(26)}504b0506${'00'.repeat(18)}`;
