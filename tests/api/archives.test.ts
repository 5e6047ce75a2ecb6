import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProblemCode } from '../../src/contract/problem.contract.js';
import { startApp, type App } from '../support/app.js';
import { buildDataset, buildUser, fixture, SMALL_VIDEO, SMALL_VIDEO_FRAMES, type TestUser } from '../support/build.js';
import { grayImage, pngOf } from '../support/images.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { expectProblem } from '../support/problems.js';
import { expectFilesToMatchRows, storedFiles } from '../support/stored-files.js';
import { until } from '../support/wait.js';
import { buildZip, type BuiltArchive, type BuiltEntry } from '../support/zip-builder.js';

const MAX_UPLOAD_BYTES = 1_000_000;
const FRAMES_PER_CREDIT = 5;
const VIDEO_PRICE = SMALL_VIDEO_FRAMES / FRAMES_PER_CREDIT;
const LINK = 0o120777 * 0x10000;

interface Uploaded {
  message: string;
  id: string;
  costDeducted: number;
  video: Record<string, unknown>;
  videos: { id: string; name: string; frame_count: number; cost: number }[];
}

const png = (seed: number, width?: number): Buffer => pngOf(grayImage(seed, width));
const pictures = (folder: string, count: number): BuiltEntry[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${folder}frame-${index + 1}.png`, data: png(index) }));

describe('D1.10 archives of videos and pictures', () => {
  let app: App;
  let user: TestUser;
  let datasetId: string;
  let video: Buffer;
  let jpeg: Buffer;

  beforeAll(async () => {
    app = await startApp({
      parts: ['http'],
      settings: { MAX_UPLOAD_BYTES: String(MAX_UPLOAD_BYTES), UPLOAD_FRAMES_PER_CREDIT: String(FRAMES_PER_CREDIT) },
    });
    video = await readFile(SMALL_VIDEO);
    jpeg = await readFile(fixture('media/picture.jpg'));
  });
  afterAll(() => app.stop());
  beforeEach(async () => {
    ({ id: datasetId, user } = await buildDataset(app));
  });
  afterEach(() => expectLedgersToBalance(app));

  const upload = (entries: readonly BuiltEntry[], archive?: BuiltArchive, name = 'scene') =>
    user.api.upload<Uploaded>(datasetId, new Uint8Array(buildZip(entries, archive)), name, 'zip');

  /** Nothing paid, nothing stored, nothing half done. */
  async function expectNothingHappened(credits = 100): Promise<void> {
    expect(await user.api.credits()).toBe(credits);
    expect(await app.sql('SELECT 1 FROM videos WHERE dataset_id = $1', [datasetId])).toEqual([]);
    await until(async () => (await storedFiles(app)).staging.length === 0, { what: 'an empty staging folder' });
    await expectFilesToMatchRows(app);
  }

  it('D1.10 makes a video of every video in the archive, numbered in the natural order of their paths', async () => {
    const { status, body } = await upload([
      { name: 'take10.mp4', data: video },
      { name: 'take9.mp4', data: video },
      { name: '__MACOSX/._take9.mp4', data: Buffer.from('litter') },
      { name: 'more/', method: 0 },
      { name: 'more/a.mkv', data: await readFile(fixture('media/h264.mkv')) },
    ]);
    expect(status, JSON.stringify(body)).toBe(201);
    expect(body).toMatchObject({
      message: 'scene - video added',
      id: body.videos[0].id,
      costDeducted: 3 * VIDEO_PRICE,
    });
    const cost = VIDEO_PRICE;
    expect(body.videos).toEqual([
      { id: expect.any(String) as string, name: 'scene-1', frame_count: 25, cost },
      { id: expect.any(String) as string, name: 'scene-2', frame_count: 25, cost },
      { id: expect.any(String) as string, name: 'scene-3', frame_count: 25, cost },
    ]);
    const { body: read } = await user.api.get<{ dataset: { videos: { id: string; container: string }[] } }>(
      `/api/dataset/${datasetId}`,
    );
    expect(read.dataset.videos.map(({ id }) => id)).toEqual(body.videos.map(({ id }) => id));
    expect(read.dataset.videos.map(({ container }) => container)).toEqual(['matroska', 'mp4', 'mp4']);
    expect(await user.api.credits()).toBe(100 - 3 * VIDEO_PRICE);
    expect((await storedFiles(app)).staging).toEqual([]);
    await expectFilesToMatchRows(app);
  });

  it('keeps the name of an archive with a single video', async () => {
    const { body } = await upload([{ name: 'deep/in/it.mp4', data: video }]);
    expect(body.videos).toMatchObject([{ name: 'scene', frame_count: 25 }]);
    expect(body.video).toMatchObject({ name: 'scene', codec: 'h264' });
  });

  it('makes one video of an archive of pictures, a frame each, in natural order and to the pixel', async () => {
    const { status, body } = await upload(pictures('', 12).reverse());
    expect(status, JSON.stringify(body)).toBe(201);
    expect(body.videos).toEqual([{ id: body.id, name: 'scene', frame_count: 12, cost: 3 }]);
    expect(body.video).toMatchObject({ codec: 'png', width: 32, height: 24, frame_rate: 25 });
    const [row] = await app.sql<{ storage_key: string }>('SELECT storage_key FROM videos WHERE id = $1', [body.id]);
    const { store, decoder } = app.container.infrastructure;
    const { signal } = new AbortController();
    const file = await store.localFile(row.storage_key, signal);
    let index = 0;
    for await (const { gray } of decoder.frames(file.path, { start: 0, end: 11, step: 1 }, { signal })) {
      expect(Buffer.from(gray).equals(grayImage(index).pixels), `frame ${index}`).toBe(true);
      index++;
    }
    expect(index).toBe(12);
  });

  it('makes one video of each folder of pictures, beside the videos', async () => {
    const { status, body } = await upload([
      ...pictures('left/', 3),
      ...pictures('right/', 7),
      { name: 'jpegs/1.jpg', data: jpeg },
      { name: 'jpegs/2.jpeg', data: jpeg },
      { name: 'movie.mp4', data: video },
    ]);
    expect(status, JSON.stringify(body)).toBe(201);
    expect(body.videos.map(({ frame_count, cost }) => [frame_count, cost])).toEqual([
      [2, 1],
      [3, 1],
      [25, 5],
      [7, 2],
    ]);
    expect(body.costDeducted).toBe(9);
  });

  it('takes ZIP64, sizes behind the data, and stored entries', async () => {
    const { status } = await upload([{ name: 'a.mp4', data: video, isZip64: true }], { isZip64: true });
    expect(status).toBe(201);
    expect((await upload([{ name: 'a.mp4', data: video, hasDescriptor: true }])).status).toBe(201);
    expect((await upload([{ name: 'a.mp4', data: video, method: 0 }])).status).toBe(201);
  });

  it.each<[string, () => BuiltEntry[], ProblemCode, RegExp]>([
    [
      'text',
      () => [{ name: 'a.txt', data: Buffer.from('hello, this is text') }],
      'archive-refused',
      /"a.txt" is neither/,
    ],
    ['an empty file', () => [{ name: 'a.mp4' }], 'archive-refused', /"a.mp4" is empty/],
    ['litter only', () => [{ name: '.DS_Store', data: Buffer.from('x') }], 'archive-refused', /holds no video/],
    ['folders only', () => [{ name: 'a/', method: 0 }], 'archive-refused', /holds no video/],
    ['nothing', () => [], 'archive-refused', /empty/],
    ['an archive', () => [{ name: 'a.mp4', data: buildZip(pictures('', 1)) }], 'archive-refused', /an archive inside/],
    ['an archive by name', () => [{ name: 'a.tar.gz', data: video }], 'archive-refused', /an archive inside/],
    [
      'pictures of two sizes',
      () => [...pictures('', 2), { name: 'z.png', data: png(1, 40) }],
      'archive-refused',
      /"z.png" is 40x24 PNG/,
    ],
    [
      'pictures of two formats',
      () => [...pictures('', 2), { name: 'z.jpg', data: jpeg }],
      'archive-refused',
      /"z.jpg" is 32x32 JPEG/,
    ],
    ['a link', () => [{ name: 'a.mp4', data: video, externalAttributes: LINK }], 'archive-refused', /link/],
    ['a name that leads out', () => [{ name: '../../a.mp4', data: video }], 'archive-refused', /outside/],
    ['a name with control characters', () => [{ name: 'a\x1b[2J.mp4', data: video }], 'archive-refused', /control/],
    [
      'one name twice',
      () => [
        { name: 'a.mp4', data: video },
        { name: 'a.mp4', data: video },
      ],
      'archive-refused',
      /twice/,
    ],
    ['an encrypted file', () => [{ name: 'a.mp4', data: video, flags: 1 }], 'archive-refused', /encrypted/],
    ['an unknown compression', () => [{ name: 'a.mp4', data: video, method: 93 }], 'archive-refused', /method 93/],
    [
      'a bomb',
      () => [{ name: 'a.mp4', data: Buffer.concat([video, Buffer.alloc(5_000_000)]) }],
      'archive-refused',
      /Unpacked|100 times/,
    ],
    [
      'a bomb that says it is none',
      () => [{ name: 'a.mp4', data: Buffer.concat([video, Buffer.alloc(5_000_000)]), uncompressedSize: 100_000 }],
      'corrupt-archive',
      /cannot be unpacked/,
    ],
    [
      'files in one place',
      () => [
        { name: 'a.mp4', data: video },
        { name: 'b.mp4', data: video, offset: 0 },
      ],
      'archive-refused',
      /overlaps/,
    ],
    ['a wrong checksum', () => [{ name: 'a.mp4', data: video, crc: 7 }], 'corrupt-archive', /checksum/],
    [
      'sound',
      () => [
        { name: 'good.mp4', data: video },
        { name: 'a.mov', data: Buffer.from('RIFF\0\0\0\0WAVEfmt ') },
      ],
      'archive-refused',
      /neither/,
    ],
    [
      'a cut video behind a good one',
      () => [
        { name: 'a.mp4', data: video },
        { name: 'b.mp4', data: video.subarray(0, 3000) },
      ],
      'corrupt-video',
      /^"b.mp4": /,
    ],
    [
      'a broken picture',
      () => [...pictures('a/', 2), { name: 'a/z.png', data: Buffer.from(png(3)).fill(0, 40, 80) }],
      'corrupt-video',
      /^The pictures in "a\/": /,
    ],
  ])('refuses an archive that holds %s, as a whole', async (_name, entries, code, detail) => {
    const answer = await upload(entries());
    expectProblem(answer, code);
    expect((answer.body as unknown as { detail: string }).detail).toMatch(detail);
    await expectNothingHappened();
  });

  it('refuses pictures of other formats by name', async () => {
    for (const kind of ['gif', 'bmp', 'webp', 'tiff']) {
      const data = await readFile(fixture(`media/picture.${kind}`));
      const answer = await upload([{ name: `a.${kind}`, data }]);
      expectProblem(answer, 'archive-refused');
      expect((answer.body as unknown as { detail: string }).detail).toMatch(/made of JPEG or PNG/);
    }
    await expectNothingHappened();
  });

  it('refuses 100,000 entries, whether the end of the archive tells or hides them', async () => {
    const entries = Array.from({ length: 10_001 }, (_, index) => ({ name: `${index}`, method: 0 }));
    const honest = await upload(entries);
    expectProblem(honest, 'archive-refused');
    expect((honest.body as unknown as { detail: string }).detail).toMatch(/10000 entries/);
    expectProblem(await upload(entries.slice(0, 100), { entryCount: 100_000, isZip64: true }), 'archive-refused');
    expectProblem(await upload(entries.slice(0, 300), { entryCount: 5 }), 'corrupt-archive');
    await expectNothingHappened();
  });

  it('refuses more videos than it takes at a time', async () => {
    const folders = Array.from({ length: 201 }, (_, index) => ({ name: `${index}/a.png`, data: png(1) }));
    const answer = await upload(folders);
    expectProblem(answer, 'archive-refused');
    expect((answer.body as unknown as { detail: string }).detail).toMatch(/201 videos/);
    await expectNothingHappened();
  });

  it('refuses an archive that is cut', async () => {
    const whole = buildZip([{ name: 'a.mp4', data: video }]);
    for (const length of [40, whole.length - 30, whole.length - 1]) {
      const cut = new Uint8Array(whole.subarray(0, length));
      expectProblem(await user.api.upload(datasetId, cut, 'scene', 'zip'), 'corrupt-archive');
    }
    await expectNothingHappened();
  });

  it('takes a type for what it says', async () => {
    const zip = new Uint8Array(buildZip([{ name: 'a.mp4', data: video }]));
    expectProblem(await user.api.upload(datasetId, zip, 'a', 'video'), 'unsupported-video');
    expectProblem(await user.api.upload(datasetId, zip, 'a'), 'unsupported-video');
    expectProblem(await user.api.upload(datasetId, new Uint8Array(video), 'a', 'zip'), 'unsupported-archive');
    expectProblem(await user.api.upload(datasetId, new Uint8Array(0), 'a', 'zip'), 'unsupported-archive');
    await expectNothingHappened();
  });

  it('asks for the price of all before it unpacks, and pays all or nothing', async () => {
    ({ id: datasetId, user } = await buildDataset(app, { user: await buildUser(app, { credits: 2 }) }));
    const early = await upload(pictures('', 11));
    expectProblem(early, 'insufficient-credits');
    expect(early.body).toMatchObject({ required: 3, balance: 2 });
    await expectNothingHappened(2);

    ({ id: datasetId, user } = await buildDataset(app, { user: await buildUser(app, { credits: 9 }) }));
    const twice = [
      { name: 'a.mp4', data: video },
      { name: 'b.mp4', data: video },
    ];
    const late = await upload(twice);
    expectProblem(late, 'insufficient-credits');
    expect(late.body).toMatchObject({ required: 10, balance: 9 });
    await expectNothingHappened(9);
  });

  it('pays for one of two archives that arrive at once with credits for one', async () => {
    ({ id: datasetId, user } = await buildDataset(app, { user: await buildUser(app, { credits: 3 }) }));
    const answers = await Promise.all([upload(pictures('', 11)), upload(pictures('', 11))]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 402]);
    expect(await user.api.credits()).toBe(0);
    expect(await app.sql('SELECT 1 FROM videos WHERE dataset_id = $1', [datasetId])).toHaveLength(1);
    expect((await storedFiles(app)).staging).toEqual([]);
    await expectFilesToMatchRows(app);
  });

  it('gives the numbered names no more room than a name has', async () => {
    const { body } = await upload([...pictures('a/', 1), ...pictures('b/', 1)], {}, 'n'.repeat(200));
    expect(body.videos.map(({ name }) => name)).toEqual([`${'n'.repeat(198)}-1`, `${'n'.repeat(198)}-2`]);
  });
});
