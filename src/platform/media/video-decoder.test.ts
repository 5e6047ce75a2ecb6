import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Logger } from '../logging/logger.js';
import { createVideoDecoder, type VideoDecoderOptions } from './create-video-decoder.js';
import {
  DecoderFailedError,
  MediaError,
  type FrameRange,
  type DecodingSession,
  type VideoFrame,
} from './video-decoder.port.js';

const fixtures = join(import.meta.dirname, '../../../tests/fixtures');
const media = (name: string) => join(fixtures, 'media', name);
const golden = (name: string) => join(fixtures, 'golden', name);
const LONG_VIDEO = golden('dev-a-translate-xy/current.mp4');
const LONG_VIDEO_FRAMES = 60;

const PORTRAIT = { width: 64, height: 96 };
const LANDSCAPE = { width: 96, height: 64 };

const never = new AbortController().signal;
const systemFfmpeg = process.env.FFMPEG_PATH ?? 'ffmpeg';
const hasSystemFfmpeg = canRun(systemFfmpeg);
if (!hasSystemFfmpeg) {
  process.stderr.write(`No ffmpeg at "${systemFfmpeg}": only the built-in decoder is tested. FFMPEG_PATH names one.\n`);
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decoder-'));
});
afterAll(() => rm(folder, { recursive: true }));

const implementations: { name: string; ffmpegPath?: string }[] = [{ name: 'built-in decoder' }];
if (hasSystemFfmpeg) implementations.push({ name: 'system ffmpeg', ffmpegPath: systemFfmpeg });

describe.each(implementations)('$name', ({ ffmpegPath }) => {
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

  describe('process', () => {
    const everyFrame = { start: 0, end: LONG_VIDEO_FRAMES - 1, step: 1 };

    it('waits while nobody takes frames, and ends when the loop is left', async () => {
      const { logger, started } = recordingLogger();
      const watched = create({ logger });
      let taken = 0;
      for await (const frame of watched.frames(LONG_VIDEO, everyFrame, { signal: never })) {
        taken++;
        // Time enough to decode everything: a probe of the same video does.
        if (frame.index === 0) await probe(LONG_VIDEO);
        expect(isRunning(lastOf(started))).toBe(true);
        if (taken === 3) break;
      }
      expect(started.every((pid) => !isRunning(pid))).toBe(true);
    });

    it('ends at once when aborted between frames', async () => {
      const { logger, started } = recordingLogger();
      const abort = new AbortController();
      const reason = new Error('no longer wanted');
      const run = async () => {
        for await (const frame of create({ logger }).frames(LONG_VIDEO, everyFrame, { signal: abort.signal })) {
          if (frame.index === 2) abort.abort(reason);
        }
      };
      await expect(run()).rejects.toBe(reason);
      expect(started.every((pid) => !isRunning(pid))).toBe(true);
    });

    it('ends at once when aborted during a probe, also one that does not answer', async () => {
      const abort = new AbortController();
      const reason = new Error('no longer wanted');
      const { logger, started } = recordingLogger((pid) => {
        process.kill(pid, 'SIGSTOP');
        abort.abort(reason);
      });
      await expect(create({ logger }).probe(LONG_VIDEO, { signal: abort.signal })).rejects.toBe(reason);
      expect(started.every((pid) => !isRunning(pid))).toBe(true);
    });

    it('starts nothing when aborted before', async () => {
      const { logger, started } = recordingLogger();
      const signal = AbortSignal.abort(new Error('too late'));
      await expect(create({ logger }).probe(LONG_VIDEO, { signal })).rejects.toBe(signal.reason);
      expect(started).toEqual([]);
    });

    it('tells that it was killed', async () => {
      const { logger, started } = recordingLogger();
      const run = async () => {
        for await (const frame of create({ logger }).frames(LONG_VIDEO, everyFrame, { signal: never })) {
          if (frame.index === 0) process.kill(lastOf(started), 'SIGKILL');
        }
      };
      await expect(run()).rejects.toBeInstanceOf(DecoderFailedError);
    });

    it('tells that it hangs', async () => {
      const { logger } = recordingLogger((pid) => process.kill(pid, 'SIGSTOP'));
      const stuck = create({ logger, frameTimeoutMs: 200 });
      await expect(stuck.probe(LONG_VIDEO, { signal: never })).rejects.toThrow(/no progress for 0.2 s/);
      await expect(collect(stuck, LONG_VIDEO, everyFrame)).rejects.toBeInstanceOf(DecoderFailedError);
    });

    it('has a limited time for a probe', async () => {
      const hurried = create({ probeTimeoutMs: 1 });
      await expect(hurried.probe(LONG_VIDEO, { signal: never })).rejects.toBeInstanceOf(DecoderFailedError);
    });

    it('dies with the application', async () => {
      const application = await startApplication(ffmpegPath);
      expect(isRunning(application.decoderPid)).toBe(true);
      process.kill(application.pid, 'SIGKILL');
      await expect.poll(() => isRunning(application.decoderPid), { timeout: 20_000 }).toBe(false);
    });
  });
});

describe('built-in decoder', () => {
  const range = { start: 0, end: LONG_VIDEO_FRAMES - 1, step: 1 };

  it('serves a session by one process, one that was prepared if there is any', async () => {
    const { logger, started } = recordingLogger();
    const decoder = createVideoDecoder({ logger });
    onTestFinished(() => decoder.close());
    decoder.prepare();
    decoder.prepare();
    expect(started).toHaveLength(1);
    const session = decoder.openSession();
    await collect(session, golden('dev-b-roll/goal.mp4'), { start: 3, end: 3, step: 1 });
    for await (const frame of session.frames(LONG_VIDEO, { start: 4, end: 4, step: 1 }, { signal: never })) {
      expect(frame.index).toBe(4);
      break; // with the last frame nothing is left behind, so this costs no process either
    }
    await collect(session, LONG_VIDEO, { start: 5, end: 9, step: 2 });
    expect(started).toHaveLength(1);
    await session.close();
    expect(isRunning(lastOf(started))).toBe(false);
  });

  it('replaces a prepared process that has died, and ends one that nobody needed', async () => {
    const { logger, started } = recordingLogger();
    const decoder = createVideoDecoder({ logger });
    decoder.prepare();
    process.kill(lastOf(started), 'SIGKILL');
    await expect.poll(() => isRunning(lastOf(started)), { timeout: 20_000 }).toBe(false);
    expect(await decoder.probe(media('h264.mp4'), { signal: never })).toMatchObject({ frameCount: 25 });
    expect(started).toHaveLength(2);
    decoder.prepare();
    await decoder.close();
    expect(started).toHaveLength(3);
    expect(started.some(isRunning)).toBe(false);
  });

  it('leaves out what damage has taken, and numbers the rest as before', async () => {
    const decoder = createVideoDecoder({ logger: quietLogger() });
    const bytes = await readFile(LONG_VIDEO);
    const middle = Math.floor(bytes.length / 2);
    const path = await temporary('damaged-middle.mp4', Buffer.from(bytes).fill(0xa5, middle, middle + 3000));
    const intact = await collect(decoder, LONG_VIDEO, range);
    const damaged = await collect(decoder, path, range);
    const indices = damaged.map(({ index }) => index);
    const missing = intact.map(({ index }) => index).filter((index) => !indices.includes(index));
    expect(missing.length).toBeGreaterThan(0);
    expect(missing.length).toBeLessThan(10);
    expect(indices.at(-1)).toBe(59);
    for (const frame of damaged.filter(({ index }) => index < missing[0])) {
      expect(digest(frame)).toBe(digest(intact[frame.index]));
    }
    for (const frame of damaged.filter(({ index }) => index > missing[0] && index < 55)) {
      const distances = intact.map(({ gray }) => meanDifference(gray, frame.gray));
      expect(distances.indexOf(Math.min(...distances))).toBe(frame.index);
    }
  });

  it('misses just the one picture that is broken where each stands alone', async () => {
    const decoder = createVideoDecoder({ logger: quietLogger() });
    const bytes = await readFile(media('mjpeg.avi'));
    const third = nthIndexOf(bytes, Buffer.from([0xff, 0xd8, 0xff]), 3);
    const path = await temporary('damaged.avi', Buffer.from(bytes).fill(0, third, third + 400));
    const whole = { start: 0, end: 9, step: 1 };
    const intact = await collect(decoder, media('mjpeg.avi'), whole);
    const damaged = await collect(decoder, path, whole);
    expect(damaged.map(({ index }) => index)).toEqual([0, 1, 3, 4, 5, 6, 7, 8, 9]);
    for (const frame of damaged) expect(digest(frame)).toBe(digest(intact[frame.index]));
  });

  it('ends with an error after the frames that there are when damage has taken the end', async () => {
    const decoder = createVideoDecoder({ logger: quietLogger() });
    const bytes = await readFile(media('mjpeg.avi'));
    const ninth = nthIndexOf(bytes, Buffer.from([0xff, 0xd8, 0xff]), 9);
    const path = await temporary('no-end.avi', Buffer.from(bytes).fill(0, ninth, bytes.lastIndexOf('idx1')));
    const indices: number[] = [];
    const read = async () => {
      const frames = decoder.frames(path, { start: 0, end: 9, step: 1 }, { signal: never });
      for await (const { index } of frames) indices.push(index);
    };
    await expect(read()).rejects.toMatchObject({ problem: 'corrupt' });
    expect(indices).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('gives the same grey on every machine', async () => {
    const decoder = createVideoDecoder({ logger: quietLogger() });
    const frames = await collect(decoder, golden('dev-a-translate-xy/goal.mp4'), { start: 6, end: 6, step: 1 });
    expect(frames.map(digest)).toEqual(['6d811c30da2eed66487da35f92428dd3cbed6cc9ab7d5cb38ca105f477096d9a']);
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

function nthIndexOf(bytes: Buffer, wanted: Buffer, count: number): number {
  let at = -1;
  for (let found = 0; found < count; found++) at = bytes.indexOf(wanted, at + 1);
  return at;
}

function meanDifference(left: Uint8Array, right: Uint8Array): number {
  return left.reduce((sum, value, index) => sum + Math.abs(value - right[index]), 0) / left.length;
}

async function collect(
  decoder: Pick<DecodingSession, 'frames'>,
  path: string,
  range: FrameRange,
): Promise<VideoFrame[]> {
  const frames: VideoFrame[] = [];
  for await (const frame of decoder.frames(path, range, { signal: never })) frames.push(frame);
  return frames;
}

function digest(frame: VideoFrame | undefined): string {
  return createHash('sha256')
    .update(frame?.gray ?? 'no frame')
    .digest('hex');
}

function largestDifference(left: Uint8Array, right: Uint8Array | undefined): number {
  if (left.length !== right?.length) return Infinity;
  return left.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (right[index] ?? 0))), 0);
}

async function temporary(name: string, content: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** A process that has taken one frame and then waits for ever; its decoder waits for it. */
async function startApplication(ffmpegPath: string | undefined): Promise<{ pid: number; decoderPid: number }> {
  const source = `
    import { createVideoDecoder } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'create-video-decoder.ts')).href)};
    let pid;
    const logger = { debug: (message, fields) => (pid = fields.pid), warn() {}, info() {}, error() {}, child: () => logger };
    const decoder = createVideoDecoder({ ffmpegPath: ${JSON.stringify(ffmpegPath ?? '')}, logger });
    const range = { start: 0, end: 59, step: 1 };
    const signal = new AbortController().signal;
    for await (const frame of decoder.frames(${JSON.stringify(LONG_VIDEO)}, range, { signal })) {
      console.log(pid);
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    }`;
  const script = await temporary(`application-${ffmpegPath ? 'system' : 'built-in'}.mts`, Buffer.from(source));
  const tsx = pathToFileURL(join(import.meta.dirname, '../../../node_modules/tsx/dist/loader.mjs')).href;
  const child = spawn(process.execPath, ['--import', tsx, script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const decoderPid = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())));
    child.once('exit', () => reject(new Error('The application ended before its first frame')));
  });
  return { pid: child.pid ?? 0, decoderPid };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
  // Dead, but nobody has asked for its exit code: containers without an init process leave orphans like that.
  const status = `/proc/${pid}/stat`;
  return !existsSync(status) || !/\) Z /.test(readFileSync(status, 'utf8'));
}

function lastOf(pids: number[]): number {
  const pid = pids.at(-1);
  if (pid === undefined) throw new Error('No decoder was started');
  return pid;
}

function quietLogger(): Logger {
  return recordingLogger().logger;
}

function recordingLogger(onStart: (pid: number) => void = () => undefined): { logger: Logger; started: number[] } {
  const started: number[] = [];
  const ignore = () => undefined;
  const logger: Logger = {
    debug: (_message, fields) => {
      const pid = Number(fields?.pid);
      started.push(pid);
      onStart(pid);
    },
    info: ignore,
    warn: ignore,
    error: ignore,
    child: () => logger,
  };
  return { logger, started };
}

function canRun(binary: string): boolean {
  try {
    execFileSync(binary, ['-version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
