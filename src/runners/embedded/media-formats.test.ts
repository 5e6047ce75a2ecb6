import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture } from '../../../tests/support/build.js';
import { runContext } from '../../../tests/support/runner-jobs.js';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { createVideoDecoder } from '../../platform/media/create-video-decoder.js';
import { CNS_MODEL } from '../runner.port.js';
import { createEmbeddedRunner, type EmbeddedRunner } from './embedded.runner.js';

let folder: string;
let runner: EmbeddedRunner;
const decoder = createVideoDecoder({ logger: silentLogger });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'media-formats-'));
  runner = createEmbeddedRunner({ logger: silentLogger, processes: 1, version: '0.0.0' });
});
afterAll(async () => {
  await runner.close();
  await rm(folder, { recursive: true });
});

describe('a whole job on a video with itself', () => {
  it.each<[string, string, number, number, number, ('SIFT' | 'ORB')?]>([
    ['h264.mp4', 'h264', 96, 64, 25],
    ['h264-index-first.mp4', 'h264', 96, 64, 25],
    ['h264-fragmented.mp4', 'h264', 96, 64, 25],
    ['h264-edit-list.mp4', 'h264', 96, 64, 15],
    ['h264-rotated.mp4', 'h264', 64, 96, 25],
    ['h264-full-range.mp4', 'h264', 96, 64, 10],
    ['h264-rgb.mp4', 'h264', 96, 64, 10],
    ['h264-422-10-bit.mp4', 'h264', 96, 64, 10],
    ['h264-444.mkv', 'h264', 96, 64, 10],
    ['h264-gray-portrait.mp4', 'h264', 64, 128, 10],
    ['h264-interlaced.mp4', 'h264', 96, 64, 10],
    ['h264-variable-rate-audio.mp4', 'h264', 96, 64, 9],
    ['h264-with-cover.mp4', 'h264', 96, 64, 25],
    ['h264.mov', 'h264', 96, 64, 25],
    ['h264.mkv', 'h264', 96, 64, 25],
    ['h264.flv', 'h264', 96, 64, 25],
    ['h264.ts', 'h264', 96, 64, 25],
    ['hevc-10-bit.mp4', 'hevc', 96, 64, 10],
    ['hevc-4k.mp4', 'hevc', 3840, 2160, 2, 'ORB'],
    ['vp8.webm', 'vp8', 96, 64, 12],
    ['vp9-odd-size.mkv', 'vp9', 97, 63, 15],
    ['av1.webm', 'av1', 96, 64, 10],
    ['mpeg4.avi', 'mpeg4', 96, 64, 15],
    ['mpeg4-odd-size.avi', 'mpeg4', 65, 47, 10],
    ['mjpeg.avi', 'mjpeg', 96, 64, 10],
    ['mpeg2.mpg', 'mpeg2video', 96, 64, 10],
    ['mpeg2-interlaced.ts', 'mpeg2video', 96, 64, 10],
    ['wmv2.wmv', 'wmv2', 96, 64, 10],
    ['theora.ogv', 'theora', 96, 64, 10],
    ['prores.mov', 'prores', 64, 64, 5],
    ['ffv1-gray-10-bit.mkv', 'ffv1', 64, 64, 5],
    ['rawvideo-bottom-up.avi', 'rawvideo', 64, 64, 3],
  ])('%s', async (name, codec, width, height, frameCount, detector = 'SIFT') => {
    const path = fixture(`media/${name}`);
    const { signal } = new AbortController();
    expect(await decoder.probe(path, { signal })).toMatchObject({ codec, width, height, frameCount });
    const last = frameCount - 1;
    const result = await runner.run(
      {
        jobId: crypto.randomUUID(),
        attempt: 1,
        goalVideoPath: path,
        currentVideoPath: path,
        frameRate: 25,
        model: CNS_MODEL,
        archivePath: join(folder, `${name}.zip`),
        parameters: {
          startFrame: last % 2,
          endFrame: last,
          frameStep: Math.max(1, Math.floor(last / 2)),
          goalFrameId: last,
          detector,
          policy: 'ibvs',
          useGpus: false,
          intrinsics: { fx: width, fy: width, cx: width / 2, cy: height / 2 },
          distance: 1,
          visualize: 'sampled',
        },
      },
      runContext(),
    );
    expect(result.warnings).toEqual([]);
    expect(result.frames.map(({ problem }) => problem)).not.toContain('unreadable-frame');
    // The goal frame compared with itself: the goal is reached.
    const atGoal = result.frames.findIndex(({ frame }) => frame === last);
    expect(result.frames[atGoal]).toMatchObject({ problem: null, featureErrorPx: 0 });
    expect(Math.max(...result.velocity[atGoal].map(Math.abs))).toBeLessThan(1e-9);
  });
});
