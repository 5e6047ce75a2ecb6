export type Vector = [number, number, number];

/** X_reference = rotation · X_camera + position; row-major 3 x 3, metres. */
export interface CameraPose {
  rotation: number[];
  position: Vector;
}

export interface Camera {
  width: number;
  height: number;
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

/** Rotation matrix about `axis` (its length is the angle in radians), by Rodrigues' formula. */
export function rotationOf([x, y, z]: Vector): number[] {
  const angle = Math.hypot(x, y, z);
  if (angle === 0) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const [a, b, c] = [x / angle, y / angle, z / angle];
  const sine = Math.sin(angle);
  const rest = 1 - Math.cos(angle);
  return [
    1 - rest * (b * b + c * c),
    rest * a * b - sine * c,
    rest * a * c + sine * b,
    rest * a * b + sine * c,
    1 - rest * (a * a + c * c),
    rest * b * c - sine * a,
    rest * a * c - sine * b,
    rest * b * c + sine * a,
    1 - rest * (a * a + b * b),
  ];
}

export function rotate(r: readonly number[], [x, y, z]: Vector): Vector {
  return [r[0] * x + r[1] * y + r[2] * z, r[3] * x + r[4] * y + r[5] * z, r[6] * x + r[7] * y + r[8] * z];
}

/** Direction, in the frame of reference, of the ray through a pixel; its component along the optical axis is 1. */
export function rayOf({ fx, fy, cx, cy }: Camera, { rotation }: CameraPose, u: number, v: number): Vector {
  return rotate(rotation, [(u - cx) / fx, (v - cy) / fy, 1]);
}

/** Pixel at which a point of the frame of reference is seen; null behind the camera. */
export function project(camera: Camera, { rotation: r, position }: CameraPose, point: Vector): [number, number] | null {
  const [x, y, z] = [point[0] - position[0], point[1] - position[1], point[2] - position[2]];
  const depth = r[2] * x + r[5] * y + r[8] * z;
  if (depth <= 0) return null;
  return [
    (camera.fx * (r[0] * x + r[3] * y + r[6] * z)) / depth + camera.cx,
    (camera.fy * (r[1] * x + r[4] * y + r[7] * z)) / depth + camera.cy,
  ];
}

/** Rows of the homogeneous 4 x 4 matrix. */
export function matrixOf({ rotation: r, position: p }: CameraPose): number[][] {
  return [
    [r[0], r[1], r[2], p[0]],
    [r[3], r[4], r[5], p[1]],
    [r[6], r[7], r[8], p[2]],
    [0, 0, 0, 1],
  ];
}
