import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../../../tests/support/build.js';
import { grayImage, pngOf } from '../../../tests/support/images.js';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { createVideoDecoder } from './create-video-decoder.js';
import { writeFrameSequence } from './frame-sequence.js';
import type { ImageHeader } from './image-header.js';
import { MediaError } from './video-decoder.port.js';

const never = new AbortController().signal;
const systemFfmpeg = process.env.FFMPEG_PATH ?? 'ffmpeg';
const decoders: [string, { ffmpegPath?: string }][] = [['the built-in decoder', {}]];
if (canRun(systemFfmpeg)) decoders.push(['a system ffmpeg', { ffmpegPath: systemFfmpeg }]);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'frame-sequence-'));
});
afterAll(() => rm(folder, { recursive: true }));

function sequence(header: ImageHeader, pictures: readonly Buffer[]): Promise<Buffer> {
  // In pieces, as an archive gives them.
  const frames = pictures.map((bytes) => ({
    bytes: bytes.length,
    content: () => Readable.from([bytes.subarray(0, 10), bytes.subarray(10)]),
  }));
  return buffer(Readable.from(writeFrameSequence(header, frames)));
}

describe.each(decoders)('a frame sequence, read by %s', (name, options) => {
  const decoder = createVideoDecoder({ logger: silentLogger, ...options });

  async function written(bytes: Buffer): Promise<string> {
    const file = path.join(folder, `${name}-${Math.random()}.mkv`);
    await writeFile(file, bytes);
    return file;
  }

  async function framesOf(file: string, end: number): Promise<Buffer[]> {
    const frames: Buffer[] = [];
    for await (const { gray } of decoder.frames(file, { start: 0, end, step: 1 }, { signal: never })) {
      frames.push(Buffer.from(gray));
    }
    return frames;
  }

  it('gives back the very pixels of PNG pictures, one frame each', async () => {
    const images = Array.from({ length: 130 }, (_, seed) => grayImage(seed));
    const file = await written(await sequence({ format: 'png', width: 32, height: 24 }, images.map(pngOf)));
    expect(await decoder.probe(file, { signal: never })).toEqual({
      container: 'matroska',
      codec: 'png',
      width: 32,
      height: 24,
      frameCount: 130,
      frameRate: 25,
      durationSeconds: 5.2,
    });
    const frames = await framesOf(file, 129);
    expect(frames.length).toBe(130);
    for (const [index, frame] of frames.entries())
      expect(frame.equals(images[index].pixels), `frame ${index}`).toBe(true);
  });

  it('holds JPEG pictures unchanged', async () => {
    const jpeg = await readFile(fixture('media/picture.jpg'));
    const bytes = await sequence({ format: 'jpeg', width: 32, height: 32 }, [jpeg, jpeg, jpeg]);
    expect(bytes.toString('latin1').split(jpeg.toString('latin1'))).toHaveLength(4);
    const file = await written(bytes);
    expect(await decoder.probe(file, { signal: never })).toMatchObject({
      codec: 'mjpeg',
      width: 32,
      height: 32,
      frameCount: 3,
      frameRate: 25,
    });
    const [first, , third] = await framesOf(file, 2);
    expect(first.equals(third)).toBe(true);
    expect(new Set(first).size).toBeGreaterThan(10);
  });

  it('is refused when it was cut, and when a picture in it is broken or of another size', async () => {
    const pictures = [grayImage(1), grayImage(2)].map((image) => pngOf(image));
    const header = { format: 'png', width: 32, height: 24 } as const;
    const whole = await sequence(header, pictures);
    const probe = async (bytes: Buffer) => decoder.probe(await written(bytes), { signal: never });
    await expect(probe(whole.subarray(0, whole.length - 1))).rejects.toBeInstanceOf(MediaError);
    const broken = await sequence(header, [pictures[0], Buffer.from(pictures[1]).fill(0, 40, 80)]);
    await expect(probe(broken)).rejects.toBeInstanceOf(MediaError);
    const another = await sequence(header, [pictures[0], pngOf(grayImage(2, 40, 24))]);
    await expect(probe(another)).rejects.toBeInstanceOf(MediaError);
  });
});

function canRun(binary: string): boolean {
  try {
    execFileSync(binary, ['-version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
