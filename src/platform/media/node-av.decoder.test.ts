import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  collect,
  digest,
  golden,
  isRunning,
  lastOf,
  LONG_VIDEO,
  LONG_VIDEO_FRAMES,
  media,
  never,
  quietLogger,
  recordingLogger,
  writtenFile,
} from '../../../tests/support/decoders.js';
import { createVideoDecoder } from './create-video-decoder.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decoder-'));
});
afterAll(() => rm(folder, { recursive: true }));
const temporary = (name: string, content: Uint8Array) => writtenFile(folder, name, content);

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

function nthIndexOf(bytes: Buffer, wanted: Buffer, count: number): number {
  let at = -1;
  for (let found = 0; found < count; found++) at = bytes.indexOf(wanted, at + 1);
  return at;
}

function meanDifference(left: Uint8Array, right: Uint8Array): number {
  return left.reduce((sum, value, index) => sum + Math.abs(value - right[index]), 0) / left.length;
}
