import { describe, expect, it } from 'vitest';
import { twoViews, VIEW_CAMERA, type TwoViewOptions } from '../../../../tests/support/two-views.js';
import { ibvsVelocity } from '../policy/ibvs.js';
import { agree, type Agreement } from './agreement.js';
import { squaredTransferErrors, fitHomography, type PointPairs } from './homography.js';
import { cutPatches } from './patches.js';
import { createRandom } from './random.js';
import type { TwoFrames } from './two-frames.js';

const MOTION: Pick<TwoViewOptions, 'position' | 'rotation'> = {
  position: [0.1, -0.06, 0.05],
  rotation: [0.05, -0.06, 0.2],
};
const isBox = (x: number, y: number): boolean => x > 200 && x < 420 && y > 120 && y < 330;
const boxAndWall: TwoViewOptions['depth'] = (x, y) => (isBox(x, y) ? 0.6 : 1);
const hills: TwoViewOptions['depth'] = (x, y) => 0.8 + 0.12 * Math.sin(x / 60) * Math.cos(y / 70);
const plane: TwoViewOptions['depth'] = (x, y) => 1 / (1.2 + 0.0006 * x - 0.0004 * y);

describe('agreement of the matches of a frame', () => {
  it.each([
    ['a box before a wall', boxAndWall],
    ['hills', hills],
    ['a plane', plane],
  ])('takes in all of %s and hardly a wrong match', (_name, depth) => {
    const pairs = twoViews({ ...MOTION, count: 400, depth, noise: 0.5, outliers: 0.3 });
    const { inliers, problem } = agreeOn(pairs);
    expect(problem).toBeNull();
    expect(sum(inliers.subarray(120))).toBeGreaterThanOrEqual(275);
    expect(sum(inliers.subarray(0, 120))).toBeLessThanOrEqual(3);
  });

  it('sees a small thing before a wall', () => {
    const isThing = (x: number, y: number): boolean => Math.hypot(x - 300, y - 250) < 50;
    const pairs = twoViews({
      ...MOTION,
      count: 600,
      depth: (x, y) => (isThing(x, y) ? 0.6 : 1),
      noise: 0.4,
      outliers: 0.1,
    });
    const { inliers } = agreeOn(pairs);
    const onThing = inliers.filter((_, i) => i >= 60 && isThing(pairs.goal[2 * i], pairs.goal[2 * i + 1]));
    expect(onThing.length).toBeGreaterThan(8);
    expect(sum(onThing)).toBeGreaterThan(0.8 * onThing.length);
  });

  it.each([
    ['a box before a wall', boxAndWall],
    ['hills', hills],
    ['a plane', plane],
  ])('leads where exact pairs lead, before %s of which a quarter is matched', (_name, depth) => {
    const exact = twoViews({ ...MOTION, count: 800, depth });
    const pairs = twoViews({ ...MOTION, count: 800, depth, noise: 0.4 });
    const matched = { count: 200, goal: pairs.goal.slice(0, 400), current: exact.current.slice(0, 400) };
    const { weighted } = agree(matched, blankFrames(exact), VIEW_CAMERA);
    const velocity = ibvsVelocity(weighted, VIEW_CAMERA, 0.8, weighted.weights)!;
    const expected = ibvsVelocity(exact, VIEW_CAMERA, 0.8, null)!;
    velocity.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(0.012));
  });

  it('believes a plane when the camera only turns: no depth can be seen', () => {
    const pairs = twoViews({
      count: 300,
      depth: boxAndWall,
      position: [0, 0, 0],
      rotation: [0.1, -0.1, 0.5],
      noise: 0.5,
    });
    const { inliers, problem } = agreeOn(pairs);
    expect(problem).toBeNull();
    expect(sum(inliers)).toBeGreaterThanOrEqual(295);
  });

  it('stays at rest before a scene of any shape', () => {
    const pairs = twoViews({ count: 300, depth: boxAndWall, position: [0, 0, 0], rotation: [0, 0, 0], noise: 0.3 });
    const { weighted, problem } = agreeOn(pairs);
    expect(problem).toBeNull();
    for (const value of ibvsVelocity(weighted, VIEW_CAMERA, 0.8, weighted.weights)!)
      expect(Math.abs(value)).toBeLessThan(2e-3);
  });

  it.each([
    ['while the camera moves', MOTION],
    ['while the camera rests', { position: [0, 0, 0], rotation: [0, 0, 0] } as const],
  ])('leaves out an object that moves by itself, %s', (_name, motion) => {
    const { position, rotation } = motion;
    const pairs = twoViews({ position: [...position], rotation: [...rotation], count: 400, depth: plane, noise: 0.4 });
    const moving = new Uint8Array(400);
    for (let i = 0; i < 400; i++) {
      if (!isBox(pairs.goal[2 * i], pairs.goal[2 * i + 1])) continue;
      moving[i] = 1;
      pairs.current[2 * i] += 14;
      pairs.current[2 * i + 1] += 33;
    }
    const { inliers, problem } = agreeOn(pairs);
    expect(problem).toBeNull();
    expect(inliers.filter((inlier, i) => inlier === 1 && moving[i] === 1).length).toBeLessThanOrEqual(3);
    expect(inliers.filter((inlier, i) => inlier === 1 && moving[i] === 0).length).toBeGreaterThan(
      0.95 * (400 - sum(moving)),
    );
  });

  it('follows the larger of two motions', () => {
    const first = twoViews({ ...MOTION, count: 200, depth: plane, noise: 0.3 });
    const second = twoViews({
      position: [-0.1, 0.1, 0],
      rotation: [0, 0, -0.3],
      count: 100,
      depth: plane,
      noise: 0.3,
      seed: 9,
    });
    const both = joined(first, second);
    const { inliers } = agreeOn(both);
    expect(sum(inliers.subarray(0, 200))).toBeGreaterThanOrEqual(195);
    expect(sum(inliers.subarray(200))).toBeLessThanOrEqual(3);
  });

  it.each([6, 12, 50, 300, 1000])('sees no motion in %i wrong matches', (count) => {
    for (let seed = 0; seed < 10; seed++) {
      const { problem, weighted } = agreeOn(twoViews({ ...MOTION, count, depth: plane, outliers: 1, seed }));
      expect(problem).toBe('too-few-inliers');
      expect(weighted.count).toBe(0);
    }
  });

  it.each([
    ['few matches', 'too-few-matches', 3, (i: number) => [100 * i, 50 * i]],
    ['one place', 'degenerate-geometry', 40, () => [100, 100]],
    ['a line', 'degenerate-geometry', 40, (i: number) => [10 * i, 5 * i]],
  ])('explains %s', (_name, expected, count, place) => {
    const goal = Float64Array.from(Array.from({ length: count }, (_, i) => place(i)).flat());
    const { problem, inliers } = agreeOn({ count, goal, current: goal.map((value) => value + 7) });
    expect(problem).toBe(expected);
    expect(inliers).toHaveLength(count);
  });

  it('gives the same answer twice', () => {
    const pairs = twoViews({ ...MOTION, count: 300, depth: boxAndWall, noise: 0.5, outliers: 0.4 });
    expect(agreeOn(pairs)).toEqual(agreeOn(pairs));
  });

  it('gives finite positions for whatever it is given', () => {
    const random = createRandom(77);
    for (let round = 0; round < 60; round++) {
      const count = 4 + Math.floor(40 * random());
      const size = 10 ** (4 * random());
      const coordinates = (): Float64Array => Float64Array.from({ length: 2 * count }, () => size * random());
      const goal = coordinates();
      const current = random() < 0.5 ? coordinates() : goal.map((value) => value + 5 * random());
      const { weighted } = agreeOn({ count, goal, current });
      expect([...weighted.goal, ...weighted.current, ...weighted.weights].every(Number.isFinite)).toBe(true);
    }
  });
});

it('a homography through exact pairs has no error', () => {
  const pairs = twoViews({ ...MOTION, count: 50, depth: plane });
  const errors = new Float64Array(50);
  squaredTransferErrors(fitHomography(pairs, 3)!.matrix, pairs, errors);
  expect(Math.max(...errors)).toBeLessThan(1e-12);
});

function agreeOn(pairs: PointPairs): Agreement {
  return agree(pairs, blankFrames(pairs), VIEW_CAMERA);
}

/** Two frames in which nothing can be seen but the given pairs. */
function blankFrames({ count, goal, current }: PointPairs): TwoFrames {
  const { width, height } = VIEW_CAMERA;
  const frame = { gray: new Uint8Array(width * height).fill(128), width, height };
  const keypoints = { count, points: Float32Array.from(goal) };
  return { goal: { keypoints, patches: cutPatches(frame, keypoints) }, frame, framePoints: current };
}

function joined(a: PointPairs, b: PointPairs): PointPairs {
  return {
    count: a.count + b.count,
    goal: Float64Array.of(...a.goal, ...b.goal),
    current: Float64Array.of(...a.current, ...b.current),
  };
}

function sum(values: Uint8Array): number {
  return values.reduce((total, value) => total + value, 0);
}
