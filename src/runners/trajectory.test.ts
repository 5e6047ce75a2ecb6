import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  axisAngle,
  cameraPath,
  exponential,
  goalDistances,
  poseOfMatrix,
  type Pose,
  type VelocityOfFrame,
} from './trajectory.js';

const constant = (velocity: readonly number[], frames: number): VelocityOfFrame[] =>
  Array.from({ length: frames }, (_, frame) => ({ frame, velocity }));

function expectPose(pose: Pose | undefined, position: readonly number[], rotationVector: readonly number[]): void {
  if (pose === undefined) throw new Error('There is no pose');
  position.forEach((value, k) => expect(pose.position[k]).toBeCloseTo(value, 10));
  axisAngle(pose.rotation).forEach((value, k) => expect(value).toBeCloseTo(rotationVector[k], 10));
}

describe('cameraPath', () => {
  it('starts at the first frame, and has one point per row', () => {
    const [first, ...more] = cameraPath(constant([0.3, 0, 0, 0, 0, 0], 4), 10);
    expect(first).toEqual({ frame: 0, seconds: 0, position: [0, 0, 0], rotation: [1, 0, 0, 0], pathLength: 0 });
    expect(more.map(({ seconds }) => seconds)).toEqual([0.1, 0.2, 0.3]);
    expectPose(more[2], [0.09, 0, 0], [0, 0, 0]);
    expect(more[2]?.pathLength).toBeCloseTo(0.09, 12);
  });

  it('turns in place with a pure rotation', () => {
    const points = [...cameraPath(constant([0, 0, 0, 0, 0.5, 0], 31), 30)];
    expectPose(points.at(-1), [0, 0, 0], [0, 0.5, 0]);
    expect(points.at(-1)?.pathLength).toBe(0);
  });

  it('goes round a circle when it drives forward and turns', () => {
    // 1 m/s along z while turning about y at π rad/s: half a circle of radius 1/π in a second, ending beside the start.
    const end = [...cameraPath(constant([0, 0, 1, 0, Math.PI, 0], 61), 60)].at(-1);
    expectPose(end, [2 / Math.PI, 0, 0], axisAngle(end?.rotation ?? [1, 0, 0, 0]));
    expect(Math.abs(axisAngle(end?.rotation ?? [1, 0, 0, 0])[1])).toBeCloseTo(Math.PI, 10);
    expect(end?.pathLength).toBeCloseTo(1, 10);
  });

  it('moves along a screw: a helix about the axis of rotation', () => {
    // About z at 1 rad/s, at a distance of 2 m from the axis, rising 0.5 m/s.
    const end = [...cameraPath(constant([0, 2, 0.5, 0, 0, 1], 11), 10)].at(-1);
    expectPose(end, [2 * Math.cos(1) - 2, 2 * Math.sin(1), 0.5], [0, 0, 1]);
    expect(end?.pathLength).toBeCloseTo(Math.hypot(2, 0.5), 10);
  });

  it('does not depend on the number of steps of a constant velocity', () => {
    const velocity = [0.2, -0.1, 0.4, 0.3, -0.7, 0.2];
    const fine = [...cameraPath(constant(velocity, 100_001), 50_000)].at(-1);
    const coarse = exponential(velocity, 2);
    expectPose(fine, coarse.position, axisAngle(coarse.rotation));
    expect(Math.hypot(...(fine?.rotation ?? []))).toBeCloseTo(1, 14);
  });

  it('takes the distance between processed frames for time, and stands still where there is no velocity', () => {
    const rows = [
      { frame: 10, velocity: [1, 0, 0, 0, 0, 0] },
      { frame: 15, velocity: [0, 0, 0, 0, 0, 0] },
      { frame: 20, velocity: [0, 1, 0, 0, 0, 0] },
    ];
    const points = [...cameraPath(rows, 5)];
    expect(points.map(({ position }) => position)).toEqual([
      [0, 0, 0],
      [1, 0, 0],
      [1, 0, 0],
    ]);
    expect(points.map(({ seconds }) => seconds)).toEqual([0, 1, 2]);
  });

  it.each([0, -1, Number.NaN, Infinity])('refuses %d frames per second', (rate) => {
    expect(() => [...cameraPath(constant([0, 0, 0, 0, 0, 0], 1), rate)]).toThrow(RangeError);
  });
});

describe('exponential', () => {
  it.each([1e-2 - 1e-9, 1e-2 + 1e-9, 1e-6, 0, 3])('is a rigid motion of the right angle near %d rad', (angle) => {
    const { position, rotation } = exponential([0, 0, 1, 0, angle, 0], 1);
    expect(Math.hypot(...axisAngle(rotation))).toBeCloseTo(angle, 12);
    // The chord of an arc of length 1.
    expect(Math.hypot(...position)).toBeCloseTo(angle === 0 ? 1 : Math.sin(angle / 2) / (angle / 2), 12);
  });
});

describe('axisAngle', () => {
  it('takes the shorter way round', () => {
    const [x, ...others] = axisAngle([Math.cos(2), Math.sin(2), 0, 0]);
    expect(x).toBeCloseTo(4 - 2 * Math.PI, 12);
    expect(Math.hypot(...others)).toBe(0);
  });
});

describe('poseOfMatrix', () => {
  it.each([
    [0.3, -0.2, 0.1],
    [Math.PI - 1e-3, 0, 0],
    [0, 3, 0.5],
    [0, 0, -3.1],
    [0, 0, 0],
  ])('finds the rotation %d %d %d', (a, b, c) => {
    const { rotation } = exponential([0, 0, 0, a, b, c], 1);
    const found = poseOfMatrix([...matrixOf(rotation, [1, 2, 3]), [0, 0, 0, 1]]);
    expectPose(found, [1, 2, 3], [a, b, c]);
  });

  it('refuses what is no rigid motion', () => {
    expect(() => poseOfMatrix(Array.from({ length: 4 }, () => [NaN, NaN, NaN, NaN]))).toThrow(RangeError);
  });
});

describe('goalDistances', () => {
  it.each(['dev-a-translate-xy', 'dev-b-roll', 'dev-c-mixed6dof'])(
    'fall on the ideal velocities of %s',
    async (name) => {
      const folder = new URL(`../../tests/fixtures/golden/${name}/`, import.meta.url);
      const scene = JSON.parse(await readFile(new URL('case.json', folder), 'utf8')) as GoldenScene;
      const { ideal } = JSON.parse(await readFile(new URL('reference.json', folder), 'utf8')) as GoldenIdeal;
      const rows = ideal.pbvs_straight.map((velocity, frame) => ({ frame, velocity }));
      const start = poseOfMatrix(scene.T_goal_current[0]);
      const distances = [...goalDistances(cameraPath(rows, scene.fps), start)];
      const [first, last] = [distances[0], distances[distances.length - 1]];
      expect(last.metres).toBeLessThanOrEqual(0.6 * first.metres + 1e-9);
      expect(last.degrees).toBeLessThanOrEqual(0.6 * first.degrees + 1e-9);
    },
  );

  it('are zero at the goal', () => {
    const start = poseOfMatrix([
      [1, 0, 0, 0.3],
      [0, 1, 0, -0.4],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ]);
    const path = cameraPath(constant([-0.3, 0.4, 0, 0, 0, 0], 2), 1);
    const distances = [...goalDistances(path, start)];
    expect(distances[0]?.metres).toBeCloseTo(0.5, 12);
    expect(distances[1]?.metres).toBeCloseTo(0, 12);
    expect(distances[1]?.degrees).toBe(0);
  });
});

interface GoldenScene {
  fps: number;
  T_goal_current: number[][][];
}

interface GoldenIdeal {
  ideal: { pbvs_straight: number[][] };
}

function matrixOf([w, x, y, z]: Pose['rotation'], [tx, ty, tz]: readonly number[]): number[][] {
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), tx],
    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x), ty],
    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y), tz],
  ];
}
