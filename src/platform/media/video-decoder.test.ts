import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  collect,
  decoders,
  digest,
  golden,
  hasSystemFfmpeg,
  LONG_VIDEO,
  LONG_VIDEO_FRAMES,
  media,
  never,
  quietLogger,
  systemFfmpeg,
  writtenFile,
} from '../../../tests/support/decoders.js';
import { createVideoDecoder, type VideoDecoderOptions } from './create-video-decoder.js';
import { DecoderFailedError, MediaError } from './video-decoder.port.js';

const PORTRAIT = { width: 64, height: 96 };
const LANDSCAPE = { width: 96, height: 64 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decoder-'));
});
afterAll(() => rm(folder, { recursive: true }));
const temporary = (name: string, content: Uint8Array) => writtenFile(folder, name, content);

describe.each(decoders)('$name', ({ ffmpegPath }) => {
  const create = (options: Partial<VideoDecoderOptions> = {}) =>
    createVideoDecoder({ ffmpegPath, logger: quietLogger(), ...options });
  const decoder = create();
  const probe = (path: string) => decoder.probe(path, { signal: never });

  describe('probe', () => {
    it.each(['dev-a-translate-xy', 'dev-b-roll', 'dev-c-mixed6dof'])('counts the frames of %s', async (name) => {
      const expected = JSON.parse(await readFile(golden(`${name}/case.json`), 'utf8')) as Record<string, number>;
      const format = { container: 'mp4', codec: 'h264', width: 640, height: 480, frameRate: expected.fps };
      const goal = await probe(golden(`${name}/goal.mp4`));
      const current = await probe(golden(`${name}/current.mp4`));
      expect(goal).toMatchObject({ ...format, frameCount: expected.goal_frame_count });
      expect(current).toMatchObject({ ...format, frameCount: expected.current_frame_count });
      expect(current.durationSeconds).toBeCloseTo(current.frameCount / (expected.fps ?? 0), 3);
    });

    it.each([
      ['h264.mkv', { container: 'matroska', codec: 'h264', frameCount: 25, frameRate: 25 }],
      ['h264-fragmented.mp4', { container: 'mp4', codec: 'h264', frameCount: 25, durationSeconds: 1 }],
      ['h264-with-cover.mp4', { container: 'mp4', codec: 'h264', width: 96, height: 64, frameCount: 25 }],
      ['h264-rotated.mp4', { width: 64, height: 96, frameCount: 25 }],
      ['h264.ts', { container: 'mpegts', codec: 'h264', frameCount: 25 }],
      ['h264.flv', { container: 'flv', codec: 'h264', frameCount: 25 }],
      ['hevc-10-bit.mp4', { codec: 'hevc', frameCount: 10, durationSeconds: 0.4 }],
      ['vp9-odd-size.mkv', { codec: 'vp9', width: 97, height: 63, frameCount: 15, frameRate: 30000 / 1001 }],
      ['vp8.webm', { container: 'webm', codec: 'vp8', frameCount: 12, frameRate: 24, durationSeconds: 0.5 }],
      ['av1.webm', { container: 'webm', codec: 'av1', frameCount: 10 }],
      ['mpeg4.avi', { container: 'avi', codec: 'mpeg4', frameCount: 15 }],
      ['mjpeg.avi', { container: 'avi', codec: 'mjpeg', frameCount: 10 }],
      ['mpeg2.mpg', { container: 'mpeg', codec: 'mpeg2video', frameCount: 10 }],
      ['wmv2.wmv', { container: 'asf', codec: 'wmv2', frameCount: 10 }],
      ['theora.ogv', { container: 'ogg', codec: 'theora', frameCount: 10, frameRate: null }],
    ])('describes %s', async (name, expected) => {
      expect(await probe(media(name))).toMatchObject(expected);
    });

    it('counts what an edit list shows, not what the index holds', async () => {
      expect(await probe(media('h264-edit-list.mp4'))).toMatchObject({ frameCount: 15, durationSeconds: 0.6 });
    });

    it.each([
      ['audio-only.m4a', 'no-video-stream'],
      ['audio-with-cover.m4a', 'no-video-stream'],
      ['png-codec.mov', 'unsupported-format'],
      ['cinepak.avi', 'unsupported-format'],
      ['picture.png', 'unsupported-format'],
      ['h264-size-change.ts', 'unsupported-format'],
      ['too-small.mp4', 'too-large'],
      ['generate.sh', 'not-a-video'],
    ])('refuses %s as %s', async (name, problem) => {
      const refusal = expect(probe(media(name))).rejects;
      await refusal.toMatchObject({ name: 'MediaError', problem, message: expect.not.stringContaining('/') as string });
    });

    it('names the codec that is not accepted, and those that are', async () => {
      await expect(probe(media('cinepak.avi'))).rejects.toThrow(
        /encoded as cinepak.*accepted are h264, hevc, .*prores/,
      );
    });

    it('refuses a video whose pictures are damaged', async () => {
      const bytes = await readFile(LONG_VIDEO);
      const middle = Math.floor(bytes.length / 2);
      const path = await temporary('damaged.mp4', Buffer.from(bytes).fill(0xa5, middle, middle + 3000));
      await expect(probe(path)).rejects.toMatchObject({ problem: 'corrupt' });
    });

    it('refuses a video whose index points beyond the end of the file', async () => {
      const bytes = await readFile(media('h264-index-first.mp4'));
      // "To the end of the file" as length of the media data: the container alone no longer tells that it was cut.
      bytes.writeUInt32BE(0, bytes.indexOf('mdat') - 4);
      const path = await temporary('beyond.mp4', bytes.subarray(0, bytes.length - 2000));
      await expect(probe(path)).rejects.toMatchObject({ problem: 'corrupt' });
    });

    it('refuses what exceeds the limits', async () => {
      const refusal = { problem: 'too-large' };
      const few = create({ limits: { maxFrames: 24 } });
      await expect(few.probe(media('h264.mp4'), { signal: never })).rejects.toMatchObject(refusal);
      const narrow = create({ limits: { maxWidth: 95 } });
      await expect(narrow.probe(media('h264.mp4'), { signal: never })).rejects.toMatchObject(refusal);
      const exact = create({ limits: { maxFrames: 25, maxWidth: 96, maxHeight: 64 } });
      await expect(exact.probe(media('h264.mp4'), { signal: never })).resolves.toMatchObject({ frameCount: 25 });
    });

    it('takes a name for a name, whatever it looks like', async () => {
      for (const name of ['concat:a|b.mp4', '-i http: $(touch x) %d.mp4', 'file:x "y" \'z\'.mp4']) {
        const path = join(folder, name);
        await copyFile(media('h264.mp4'), path);
        expect(await probe(path), name).toMatchObject({ frameCount: 25 });
      }
      await expect(probe('http://127.0.0.1:9/h264.mp4')).rejects.toBeInstanceOf(DecoderFailedError);
    });
  });

  describe('frames', () => {
    it('gives the frames asked for, in order', async () => {
      const all = await collect(decoder, LONG_VIDEO, { start: 0, end: LONG_VIDEO_FRAMES - 1, step: 1 });
      expect(all.map(({ index }) => index)).toEqual(Array.from({ length: LONG_VIDEO_FRAMES }, (_, index) => index));
      expect(all.every(({ width, height, gray }) => width * height === gray.length && gray.length === 640 * 480)).toBe(
        true,
      );

      const some = await collect(decoder, LONG_VIDEO, { start: 7, end: 20, step: 5 });
      expect(some.map(({ index }) => index)).toEqual([7, 12, 17]);
      for (const frame of some) expect(digest(frame)).toBe(digest(all[frame.index]));
    });

    it('starts at the first frame that an edit list shows', async () => {
      const whole = await collect(decoder, media('h264.mp4'), { start: 10, end: 24, step: 1 });
      const edited = await collect(decoder, media('h264-edit-list.mp4'), { start: 0, end: 14, step: 1 });
      expect(edited.map(digest)).toEqual(whole.map(digest));
    });

    it('gives the grey of an odd-sized picture without padding', async () => {
      const [frame] = await collect(decoder, media('vp9-odd-size.mkv'), { start: 14, end: 14, step: 1 });
      expect(frame).toMatchObject({ index: 14, width: 97, height: 63 });
      expect(frame?.gray.length).toBe(97 * 63);
    });

    // [a b u c d v x y w] of ISO/IEC 14496-12, in 1/65536 (the last column in 1/2^30), and where pixel (x, y) of the
    // upright picture lies in the stored one of 96x64.
    it.each<[string, number[], { width: number; height: number }, (x: number, y: number) => [number, number]]>([
      ['turned clockwise', [0, 1, 0, -1, 0, 0, 64, 0, 1], PORTRAIT, (x, y) => [y, 63 - x]],
      ['turned by half', [-1, 0, 0, 0, -1, 0, 96, 64, 1], LANDSCAPE, (x, y) => [95 - x, 63 - y]],
      ['turned anticlockwise', [0, -1, 0, 1, 0, 0, 0, 96, 1], PORTRAIT, (x, y) => [95 - y, x]],
      ['mirrored', [-1, 0, 0, 0, 1, 0, 96, 0, 1], LANDSCAPE, (x, y) => [95 - x, y]],
      ['mirrored upside down', [1, 0, 0, 0, -1, 0, 0, 64, 1], LANDSCAPE, (x, y) => [x, 63 - y]],
      ['mirrored and turned', [0, 1, 0, 1, 0, 0, 0, 0, 1], PORTRAIT, (x, y) => [y, x]],
      ['turned by 45 degrees, which is ignored', [0.7, 0.7, 0, -0.7, 0.7, 0, 45, 0, 1], LANDSCAPE, (x, y) => [x, y]],
    ])('shows a picture upright that is to be %s', async (name, matrix, size, source) => {
      const path = await temporary(`${name}.mp4`, withDisplayMatrix(await readFile(media('h264.mp4')), matrix));
      expect(await probe(path)).toMatchObject(size);
      const range = { start: 8, end: 8, step: 1 };
      const [[stored], [upright]] = [
        await collect(decoder, media('h264.mp4'), range),
        await collect(decoder, path, range),
      ];
      const expected = Array.from({ length: size.width * size.height }, (_, at) => {
        const [x, y] = source(at % size.width, Math.floor(at / size.width));
        return stored.gray[y * 96 + x];
      });
      expect(upright).toMatchObject(size);
      expect([...upright.gray]).toEqual(expected);
    });

    it('gives the frames of two videos in one session, and of one on and on and back', async () => {
      const [goal, current] = [golden('dev-b-roll/goal.mp4'), LONG_VIDEO];
      const session = decoder.openSession();
      onTestFinished(() => session.close());
      for (const [path, start, end, step] of [
        [goal, 5, 5, 1],
        [current, 2, 4, 1],
        [current, 9, 13, 3],
        [current, 1, 3, 2],
        [current, 4, 4, 1],
      ] as const) {
        const range = { start, end, step };
        const inSession = await collect(session, path, range);
        const alone = await collect(decoder, path, range);
        expect(inSession.map(({ index }) => index)).toEqual(alone.map(({ index }) => index));
        expect(inSession.map(digest)).toEqual(alone.map(digest));
      }
    });

    it('goes on in a session after a loop that was left and after a video that failed', async () => {
      const session = decoder.openSession();
      onTestFinished(() => session.close());
      for await (const frame of session.frames(LONG_VIDEO, { start: 0, end: 59, step: 1 }, { signal: never })) {
        if (frame.index === 1) break;
      }
      const refused = collect(session, media('audio-only.m4a'), { start: 0, end: 0, step: 1 });
      await expect(refused).rejects.toBeInstanceOf(MediaError);
      expect(await collect(session, LONG_VIDEO, { start: 3, end: 3, step: 1 })).toMatchObject([{ index: 3 }]);
    });

    it('fails rather than ending early when the video is shorter than asked for', async () => {
      const tooFar = collect(decoder, media('h264.mp4'), { start: 0, end: 25, step: 1 });
      await expect(tooFar).rejects.toMatchObject({ problem: 'corrupt' });
    });

    it('fails when the picture size changes', async () => {
      const across = collect(decoder, media('h264-size-change.ts'), { start: 0, end: 19, step: 1 });
      await expect(across).rejects.toMatchObject({ problem: 'unsupported-format' });
    });

    it.each([
      { start: 3, end: 2, step: 1 },
      { start: -1, end: 2, step: 1 },
      { start: 0, end: 2, step: 0 },
      { start: 0, end: 2.5, step: 1 },
    ])('refuses the range $start-$end by $step', async (range) => {
      await expect(collect(decoder, LONG_VIDEO, range)).rejects.toBeInstanceOf(RangeError);
    });
  });
});

describe.runIf(hasSystemFfmpeg)('both decoders', () => {
  it.each([
    golden('dev-a-translate-xy/goal.mp4'),
    golden('dev-b-roll/goal.mp4'),
    golden('dev-c-mixed6dof/goal.mp4'),
    media('h264-full-range.mp4'),
    media('h264-rgb.mp4'),
    media('hevc-10-bit.mp4'),
    media('vp9-odd-size.mkv'),
    media('mjpeg.avi'),
    media('mpeg4.avi'),
  ])('agree on the grey of %s within one level', async (path) => {
    const range = { start: 1, end: 8, step: 1 };
    const builtIn = await collect(createVideoDecoder({ logger: quietLogger() }), path, range);
    const system = createVideoDecoder({ logger: quietLogger(), ffmpegPath: systemFfmpeg });
    const theirs = await collect(system, path, range);
    expect(theirs.length).toBe(builtIn.length);
    for (const [position, frame] of builtIn.entries()) {
      expect(largestDifference(frame.gray, theirs[position]?.gray)).toBeLessThanOrEqual(1);
    }
  });
});

it('tells that the configured ffmpeg cannot be run', async () => {
  const decoder = createVideoDecoder({ logger: quietLogger(), ffmpegPath: '/nowhere/ffmpeg' });
  await expect(decoder.probe(LONG_VIDEO, { signal: never })).rejects.toBeInstanceOf(DecoderFailedError);
});

function withDisplayMatrix(movie: Buffer, matrix: number[]): Buffer {
  const changed = Buffer.from(movie);
  const at = movie.indexOf('tkhd') + 44;
  matrix.forEach((value, index) => changed.writeInt32BE(value * (index % 3 === 2 ? 2 ** 30 : 65_536), at + 4 * index));
  return changed;
}

function largestDifference(left: Uint8Array, right: Uint8Array | undefined): number {
  if (left.length !== right?.length) return Infinity;
  return left.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (right[index] ?? 0))), 0);
}
