import { describe, expect, it } from 'vitest';
import { cardBeforeWall, isOnCard } from '../../../../tests/support/card-before-wall.js';
import { fitHomography } from './homography.js';
import { pairsOffPlane } from './pairs-off-plane.js';
import { cutPatches } from './patches.js';

const GOAL = cardBeforeWall({ wall: 0, card: 0 });
const SHIFT = { wall: 4, card: 24 };
const REACH_PX = 32;

describe('keypoints that are not where the plane puts them', () => {
  const places = gridOf(12);
  const keypoints = { count: places.length, points: Float32Array.from(places.flat()) };
  const goal = { keypoints, patches: cutPatches(GOAL, keypoints) };
  const onWall = places.filter(([x, y]) => !isOnCard(x, y) && x < 100);
  const matches = {
    count: onWall.length,
    goal: Float64Array.from(onWall.flat()),
    current: Float64Array.from(onWall.flatMap(([x, y]) => [x + SHIFT.wall, y])),
  };
  const plane = fitHomography(matches, 3)!;

  it('are found on the surface that they lie on, exactly, from places that are a little wrong', () => {
    const framePoints = Float64Array.from(places.flatMap(([x, y], i) => [x + SHIFT.card + (i % 3) - 1, y + (i % 2)]));
    const found = pairsOffPlane(matches, plane, { goal, frame: cardBeforeWall(SHIFT), framePoints }, REACH_PX);
    const right = pairsOf(found).filter(
      ({ goal: [x, y], current: [u, v] }) => isOnCard(x, y) && Math.hypot(u - x - SHIFT.card, v - y) < 0.3,
    );
    const inner = places.filter(([x, y]) => isOnCard(x, y, 8)).length;
    expect(right.length).toBeGreaterThan(0.8 * inner);
    // The others are of the wall behind the card, which looks like something else now.
    expect(found.count - right.length).toBeLessThan(0.15 * right.length);
  });

  it('are none where all is on the plane', () => {
    const flat = cardBeforeWall({ wall: SHIFT.wall, card: SHIFT.wall });
    const framePoints = Float64Array.from(places.flatMap(([x, y]) => [x + SHIFT.wall, y]));
    expect(pairsOffPlane(matches, plane, { goal, frame: flat, framePoints }, REACH_PX).count).toBe(0);
  });

  it('are not looked for farther away than said, or in a frame without keypoints', () => {
    const frame = cardBeforeWall(SHIFT);
    const far = Float64Array.from(places.flatMap(([x, y]) => [x + SHIFT.card, y]));
    const near = pairsOffPlane(matches, plane, { goal, frame, framePoints: far }, 10);
    expect(pairsOf(near).filter(({ goal: [x, y], current: [u] }) => isOnCard(x, y) && u - x > 15)).toEqual([]);
    expect(pairsOffPlane(matches, plane, { goal, frame, framePoints: new Float64Array(0) }, REACH_PX).count).toBe(0);
  });
});

function gridOf(step: number): [number, number][] {
  const places: [number, number][] = [];
  for (let y = step; y < GOAL.height - step; y += step) {
    for (let x = step; x < GOAL.width - step; x += step) places.push([x, y]);
  }
  return places;
}

function pairsOf({ count, goal, current }: { count: number; goal: Float64Array; current: Float64Array }) {
  return Array.from({ length: count }, (_, i) => ({
    goal: [goal[2 * i], goal[2 * i + 1]] as const,
    current: [current[2 * i], current[2 * i + 1]] as const,
  }));
}
