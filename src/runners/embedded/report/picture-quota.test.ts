import { describe, expect, it } from 'vitest';
import type { FrameReport, VisualizeMode } from '../../runner.port.js';
import { PictureQuota } from './picture-quota.js';

const TOTAL = 1000;
const PICTURE = new Uint8Array(50);

/** Makes the pictures of a job as far as they are wanted. */
async function draw(visualize: VisualizeMode, maxBytes: number, { total = TOTAL, unreadable = -1 } = {}) {
  const written: number[] = [];
  const sink = { addStored: (name: string) => Promise.resolve(void written.push(Number(name))) };
  const quota = new PictureQuota(sink, { visualize, total, maxBytes });
  const frames: FrameReport[] = [];
  for (let position = 0; position < total; position++) {
    const isReadable = position !== unreadable;
    const problem = isReadable ? null : ('unreadable-frame' as const);
    frames.push({ frame: position, keypoints: 9, matches: 9, inliers: 9, featureErrorPx: 1, problem });
    if (isReadable && quota.wants(position)) await quota.addStored(String(position), PICTURE);
  }
  return { written, warnings: quota.warnings(frames) };
}

describe('the pictures of a job', () => {
  it('are all that were asked for while they have room, and then a sample, which the result says', async () => {
    const { written, warnings } = await draw('all', 400 * PICTURE.length);
    expect(written.slice(0, 400)).toEqual(Array.from({ length: 400 }, (_, position) => position));
    const sample = (await draw('sampled', Infinity)).written;
    expect(sample).toHaveLength(100);
    expect(written.slice(400)).toEqual(sample.filter((position) => position >= 400));
    expect(warnings).toEqual([expect.stringMatching(/^540 of 1000 frames have no picture: .* 20000 bytes/)]);
  });

  it('are a sample however little room there is', async () => {
    const { written, warnings } = await draw('sampled', 1);
    expect(written).toHaveLength(100);
    expect(warnings).toEqual([]);
    expect((await draw('none', 1)).written).toEqual([]);
  });

  it('are not missed where there is room, or where the frame could not be read', async () => {
    expect((await draw('all', Infinity, { unreadable: 7 })).warnings).toEqual([]);
    expect((await draw('all', 1, { total: 100 })).warnings).toEqual([]);
  });

  it('fill the disk no more when several attempts make them', async () => {
    const bytes = { first: 0, second: 0 };
    const sinkOf = (attempt: 'first' | 'second') => ({
      addStored: (_: string, { byteLength }: Uint8Array) => Promise.resolve(void (bytes[attempt] += byteLength)),
    });
    const options = { visualize: 'all', total: TOTAL, maxBytes: 400 * PICTURE.length } as const;
    const first = new PictureQuota(sinkOf('first'), options);
    for (let position = 0; position < 300; position++) await first.addStored(String(position), PICTURE);
    const second = new PictureQuota(sinkOf('second'), options);
    // Those of the first attempt come into the archive again.
    for (let position = 0; position < 300; position++) await second.addStored(String(position), PICTURE);
    for (let position = 300; position < TOTAL; position++) {
      if (second.wants(position)) await second.addStored(String(position), PICTURE);
    }
    expect(bytes.second).toBe((await draw('all', options.maxBytes)).written.length * PICTURE.length);
  });
});
