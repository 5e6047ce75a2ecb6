import { describe, expect, it } from 'vitest';
import type { PointPairs } from '../vision/homography.js';
import { ibvsVelocity } from './ibvs.js';

const CAMERA = { fx: 500, fy: 400, cx: 320, cy: 240 };
const DEPTH = 0.8;

describe('ibvsVelocity', () => {
  it('turns a parallel shift of the camera into exactly that translation', () => {
    // The camera lies 0.1 m right of and 0.05 m above the goal: a plane at DEPTH shifts by -fx * 0.1 / DEPTH, ….
    const pairs = move((x, y) => [x - (CAMERA.fx * 0.1) / DEPTH, y + (CAMERA.fy * 0.05) / DEPTH]);
    expectVelocity(ibvsVelocity(pairs, CAMERA, DEPTH, null), [-0.1, 0.05, 0, 0, 0, 0]);
  });

  it('turns a roll into a rotation about the optical axis: 2 tan(angle / 2)', () => {
    const angle = 0.4;
    const pairs = move((x, y) => {
      const nx = (x - CAMERA.cx) / CAMERA.fx;
      const ny = (y - CAMERA.cy) / CAMERA.fy;
      // The camera is rolled by +angle: points turn by -angle.
      const rx = Math.cos(angle) * nx + Math.sin(angle) * ny;
      const ry = -Math.sin(angle) * nx + Math.cos(angle) * ny;
      return [rx * CAMERA.fx + CAMERA.cx, ry * CAMERA.fy + CAMERA.cy];
    });
    expectVelocity(ibvsVelocity(pairs, CAMERA, DEPTH, null), [0, 0, 0, 0, 0, -2 * Math.tan(angle / 2)]);
  });

  it('is zero at the goal', () => {
    expectVelocity(
      ibvsVelocity(
        move((x, y) => [x, y]),
        CAMERA,
        DEPTH,
        null,
      ),
      [0, 0, 0, 0, 0, 0],
    );
  });

  it('solves the least-squares problem of the mean interaction matrix', () => {
    // Velocities that reproduce the image motion exactly: s_goal - s = L v is linear in v, so scaling the motion scales v.
    const half = ibvsVelocity(
      move((x, y) => [x + 4, y - 3]),
      CAMERA,
      DEPTH,
      null,
    )!;
    expect(half[0]).toBeCloseTo((4 / CAMERA.fx) * DEPTH, 3);
    expect(half[1]).toBeCloseTo((-3 / CAMERA.fy) * DEPTH, 3);
  });

  it('ignores pairs of weight zero', () => {
    const pairs = move((x, y) => [x - 10, y]);
    const spoiled = { ...pairs, current: pairs.current.map((value, i) => (i < 2 ? 9999 : value)) };
    const weights = Float64Array.from({ length: pairs.count }, (_, i) => (i === 0 ? 0 : 1));
    const without = { count: pairs.count - 1, goal: pairs.goal.slice(2), current: pairs.current.slice(2) };
    expect(ibvsVelocity(spoiled, CAMERA, DEPTH, weights)).toEqual(ibvsVelocity(without, CAMERA, DEPTH, null));
  });

  it('has no answer for no points, one place and two places', () => {
    const places = (...points: number[]): PointPairs => {
      const all = Float64Array.from([...points, ...points, ...points]);
      return { count: all.length / 2, goal: all, current: all };
    };
    expect(ibvsVelocity(places(), CAMERA, DEPTH, null)).toBeNull();
    expect(ibvsVelocity(places(100, 100), CAMERA, DEPTH, null)).toBeNull();
    expect(ibvsVelocity(places(100, 100, 300, 200), CAMERA, DEPTH, null)).toBeNull();
  });

  it('has no answer upside down, wherever the centre of the turn lies', () => {
    for (const [x0, y0] of [
      [CAMERA.cx, CAMERA.cy],
      [100, 400],
    ] as const) {
      for (const noise of [0, 0.05]) {
        const turned = rolled(Math.PI, x0, y0, noise);
        expect(ibvsVelocity(turned, CAMERA, DEPTH, null)).toBeNull();
      }
    }
  });

  it('still answers almost upside down', () => {
    const angle = (178 * Math.PI) / 180;
    expect(ibvsVelocity(rolled(angle, 320, 240, 0), { ...CAMERA, fx: 400 }, DEPTH, null)![5]).toBeCloseTo(
      -2 * Math.tan(angle / 2),
      6,
    );
  });
});

/** Points turned by -angle about a place, each moved by a little noise; for a camera of square pixels. */
function rolled(angle: number, x0: number, y0: number, noise: number): PointPairs {
  let sign = 1;
  return move((x, y) => {
    sign = -sign;
    const [dx, dy] = [x - x0, y - y0];
    return [
      x0 + Math.cos(angle) * dx + Math.sin(angle) * dy + sign * noise,
      y0 - Math.sin(angle) * dx + Math.cos(angle) * dy + (x > 300 ? noise : -noise),
    ];
  });
}

function move(motion: (x: number, y: number) => [number, number]): PointPairs {
  const goal = [40, 160, 280, 400, 520, 600].flatMap((x) => [30, 170, 290, 430].flatMap((y) => [x, y + x / 10]));
  const current = goal.flatMap((x, i) => (i % 2 === 0 ? motion(x, goal[i + 1]!) : []));
  return { count: goal.length / 2, goal: Float64Array.from(goal), current: Float64Array.from(current) };
}

function expectVelocity(velocity: readonly number[] | null, expected: readonly number[]): void {
  expect(velocity).not.toBeNull();
  expected.forEach((value, i) => expect(velocity![i]).toBeCloseTo(value, 9));
}
