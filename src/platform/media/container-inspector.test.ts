import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectContainer } from './container-inspector.js';
import { DecoderFailedError } from './video-decoder.port.js';

const media = (name: string) => join(import.meta.dirname, '../../../tests/fixtures/media', name);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'container-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileWith(content: string | Uint8Array): Promise<string> {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.mp4`);
  await writeFile(path, content);
  return path;
}

describe('inspectContainer', () => {
  it.each([
    ['h264.mp4', 'mp4'],
    ['h264-fragmented.mp4', 'mp4'],
    ['h264.mov', 'mov'],
    ['h264.mkv', 'matroska'],
    ['vp8.webm', 'webm'],
    ['mpeg4.avi', 'avi'],
    ['h264.flv', 'flv'],
    ['h264.ts', 'mpegts'],
    ['mpeg2.mpg', 'mpeg'],
    ['theora.ogv', 'ogg'],
    ['wmv2.wmv', 'asf'],
  ])('recognises %s by its content as %s', async (name, container) => {
    const path = await fileWith(await readFile(media(name)));
    expect(await inspectContainer(path)).toMatchObject({ name: container });
  });

  it.each([
    ['an empty file', ''],
    ['a text', 'just some words that somebody wrote down'],
    ['one byte', 'G'],
    ['a zip archive', 'PK\x03\x04\x14\0\0\0\x08\0'],
    ['an HLS playlist', '#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/secret.ts\n'],
    ['a concat script', "ffconcat version 1.0\nfile '/etc/passwd'\n"],
    ['a session description', 'v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n'],
    ['a DASH manifest', '<?xml version="1.0"?><MPD><Period/></MPD>'],
  ])('refuses %s as no video', async (_what, content) => {
    await expect(inspectContainer(await fileWith(content))).rejects.toMatchObject({ problem: 'not-a-video' });
  });

  it.each(['png', 'jpg', 'gif', 'bmp', 'tiff', 'webp'])('refuses a picture: %s', async (kind) => {
    await expect(inspectContainer(media(`picture.${kind}`))).rejects.toMatchObject({ problem: 'unsupported-format' });
  });

  it('refuses sound', async () => {
    await expect(inspectContainer(media('audio-only.wav'))).rejects.toMatchObject({ problem: 'no-video-stream' });
  });

  it.each([
    'h264.mp4',
    'h264-index-first.mp4',
    'h264-fragmented.mp4',
    'h264.mov',
    'h264.mkv',
    'vp8.webm',
    'mpeg4.avi',
    'h264.flv',
    'theora.ogv',
    'wmv2.wmv',
  ])('notices wherever %s is cut off', async (name) => {
    const whole = await readFile(media(name));
    for (const share of [0.02, 0.1, 0.3, 0.5, 0.8, 0.99]) {
      const path = await fileWith(whole.subarray(0, Math.floor(whole.length * share)));
      await expect(inspectContainer(path), `${share}`).rejects.toMatchObject({ problem: 'corrupt' });
    }
    await expect(inspectContainer(await fileWith(whole.subarray(0, -1)))).rejects.toMatchObject({ problem: 'corrupt' });
  });

  it('is not held up by boxes that go nowhere', async () => {
    const box = Buffer.from([
      0,
      0,
      0,
      0x10,
      ...Buffer.from('ftypisom'),
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      3,
      ...Buffer.from('moov'),
    ]);
    await expect(inspectContainer(await fileWith(box))).rejects.toMatchObject({ problem: 'corrupt' });
  });

  it('tells a missing file and a folder from a bad video', async () => {
    await expect(inspectContainer(join(folder, 'nowhere.mp4'))).rejects.toBeInstanceOf(DecoderFailedError);
    await expect(inspectContainer(folder)).rejects.toBeInstanceOf(DecoderFailedError);
  });
});
