import { describe, expect, it } from 'vitest';
import { CARD, cardBeforeWall, isOnCard } from '../../../../tests/support/card-before-wall.js';
import { blankFrame } from '../../../../tests/support/textured-frame.js';
import { cutPatches } from './patches.js';
import { PixelMotion } from './pixel-motion.js';
import { depthsInView } from './relief-depths.js';

const INTRINSICS = { fx: 200, fy: 200, cx: 160, cy: 120 };
/** The camera moves to the left: everything moves to the right by fx times its inverse depth. */
const POSE = { rotation: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), translation: Float64Array.of(1, 0, 0) };
const WALL = 0.02;
const NEAR = 0.12;
const SHIFT = { wall: INTRINSICS.fx * WALL, card: INTRINSICS.fx * NEAR };
/** Half a patch: nearer to an edge than this, a keypoint shows both surfaces. */
const MARGIN = 8;

const GOAL = cardBeforeWall({ wall: 0, card: 0 });
const PLACES = Array.from({ length: 18 * 25 }, (_, i): [number, number] => [
  12 + 12 * (i % 25),
  12 + 12 * Math.floor(i / 25),
]);
const KEYPOINTS = { count: PLACES.length, points: Float32Array.from(PLACES.flat()) };
/** One in seven is measured. */
const MEASURED = Float64Array.from(PLACES, ([x, y], i) =>
  i % 7 === 0 && !isHidden(x, y) ? (isOnCard(x, y) ? NEAR : WALL) : Number.NaN,
);

describe('depths of the keypoints of a relief', () => {
  const goal = { keypoints: KEYPOINTS, patches: cutPatches(GOAL, KEYPOINTS) };
  const motion = new PixelMotion(POSE, INTRINSICS);
  const framePoints = new Float64Array(0);

  it('are those of the surfaces that they are seen on, up to the edges', () => {
    const depths = depthsInView(MEASURED, motion, { goal, frame: cardBeforeWall(SHIFT), framePoints });
    const wrong = PLACES.filter(([x, y], i) => {
      if (isHidden(x, y) || isNearEdge(x, y)) return false;
      const expected = isOnCard(x, y) ? NEAR : WALL;
      return !(Math.abs(depths[i] - expected) * INTRINSICS.fx < 2);
    });
    expect(wrong).toEqual([]);
  });

  it('are left open where the nearer surface hides the other', () => {
    const depths = depthsInView(MEASURED, motion, { goal, frame: cardBeforeWall(SHIFT), framePoints });
    const hidden = PLACES.flatMap(([x, y], i) => (isHidden(x, y) ? [depths[i]] : []));
    expect(hidden.length).toBeGreaterThan(5);
    expect(hidden.filter(Number.isNaN).length).toBeGreaterThan(0.7 * hidden.length);
  });

  it('are the middle of the neighbours where there is nothing to see', () => {
    const plain = blankFrame(GOAL.width, GOAL.height, 100);
    const unseen = { keypoints: KEYPOINTS, patches: cutPatches(plain, KEYPOINTS) };
    const depths = depthsInView(MEASURED, motion, { goal: unseen, frame: plain, framePoints });
    expect([...depths].every((depth) => depth === NEAR || depth === WALL)).toBe(true);
    expect(depths[PLACES.findIndex(([x, y]) => x === 24 && y === 24)]).toBe(WALL);
    expect(depths[PLACES.findIndex(([x, y]) => x === 156 && y === 120)]).toBe(NEAR);
  });

  it('stay open when none was measured', () => {
    const none = MEASURED.map(() => Number.NaN);
    const depths = depthsInView(none, motion, { goal, frame: cardBeforeWall(SHIFT), framePoints });
    expect([...depths].every(Number.isNaN)).toBe(true);
  });
});

/** Whether the card covers in the current frame what the goal showed of the wall. */
function isHidden(x: number, y: number): boolean {
  return !isOnCard(x, y) && isOnCard(x + SHIFT.wall - SHIFT.card, y);
}

function isNearEdge(x: number, y: number): boolean {
  const isRoundCard = (shift: number, margin: number): boolean => {
    const { left, top, right, bottom } = CARD;
    return x >= left + shift - margin && x < right + shift + margin && y >= top - margin && y < bottom + margin;
  };
  return [0, SHIFT.card - SHIFT.wall].some((shift) => isRoundCard(shift, MARGIN) && !isRoundCard(shift, -MARGIN));
}
