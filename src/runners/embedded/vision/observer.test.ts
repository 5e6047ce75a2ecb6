import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { texturedFrame } from '../../../../tests/support/textured-frame.js';
import { Observer } from './observer.js';

const INTRINSICS = { fx: 200, fy: 200, cx: 96, cy: 72 };
/** Less than one frame of the test leaves behind when it is kept, many times over. */
const TOLERATED_GROWTH_BYTES = 512 * 1024;

const { WebAssembly } = globalThis as unknown as { WebAssembly: { Memory: { prototype: { grow(): number } } } };

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(['SIFT', 'ORB', 'AKAZE', 'AKAZE:02+ORB:13'])('an observer with %s', (detector) => {
  it('keeps nothing of the frames it has seen', async () => {
    const frames = Array.from({ length: 6 }, (_, i) => texturedFrame(192, 144, 3 * i, -2 * i));
    const observer = await Observer.create(detector);
    const goal = observer.findGoal(frames[0]);
    const observeAll = (rounds: number) => {
      for (let round = 0; round < rounds; round++)
        for (const frame of frames) observer.observe(goal, frame, INTRINSICS);
    };
    // Until what the engine learns of its own code no longer grows.
    observeAll(20);
    const grow = vi.spyOn(WebAssembly.Memory.prototype, 'grow');
    const before = liveBytes();
    observeAll(20);
    expect(liveBytes() - before).toBeLessThan(TOLERATED_GROWTH_BYTES);
    expect(grow).not.toHaveBeenCalled();
    observer.dispose();
  });
});

describe('a goal frame too small for the detector', () => {
  it('is refused by names and numbers, with what to do', async () => {
    const frame = texturedFrame(64, 64);
    const blind = await Observer.create('AKAZE+ORB');
    expect(() => blind.findGoal(frame)).toThrow(
      'AKAZE and ORB found 0 keypoints in the goal frame of 64x64 pixels; at least 4 are needed. Choose a frame with more texture, or another detector: in small pictures SIFT finds most',
    );
    const seeing = await Observer.create('SIFT');
    expect(seeing.findGoal(frame).keypoints.count).toBeGreaterThanOrEqual(4);
    for (const observer of [blind, seeing]) observer.dispose();
  });
});

/** Heap and typed arrays that are in use, garbage left out. */
function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  // What the first round finds dead may have kept something else alive.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
