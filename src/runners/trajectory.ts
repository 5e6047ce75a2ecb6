/**
 * Where a camera comes to that follows the velocities of a job. The velocity of a row holds from its frame to the next
 * processed one, so the path is a chain of screw motions: pose ← pose · exp(velocity · duration), with the exponential
 * map of SE(3) in closed form (Murray, Li & Sastry, "A Mathematical Introduction to Robotic Manipulation", 1994, 2.3).
 */

/** Taken where neither the video nor the caller says how fast frames follow each other. */
export const ASSUMED_FRAME_RATE = 30;

export type Vector = readonly [number, number, number];
/** Unit quaternion, scalar first. */
export type Quaternion = readonly [number, number, number, number];

/** A camera in some frame of reference: X_reference = rotation · X_camera + position; metres, x right, y down, z forward. */
export interface Pose {
  position: Vector;
  rotation: Quaternion;
}

export const IDENTITY: Pose = { position: [0, 0, 0], rotation: [1, 0, 0, 0] };

/** A row of a job's result: velocity [vx, vy, vz, wx, wy, wz] in m/s and rad/s, in the frame of the camera itself. */
export interface VelocityOfFrame {
  frame: number;
  velocity: readonly number[];
}

export interface PathPoint extends Pose {
  frame: number;
  /** Since the first frame of the path. */
  seconds: number;
  /** Metres travelled so far, along the screws. */
  pathLength: number;
}

/**
 * The path of a camera that starts at the first frame and follows each velocity, with gain 1, until the next frame.
 *
 * @param rows in ascending order of frames
 * @param frameRate frames per second, above zero
 * @yields one point per row, the pose at its frame in the frame of reference of the first; the first is the identity
 * @throws RangeError for a frame rate that is none
 */
export function* cameraPath(rows: Iterable<VelocityOfFrame>, frameRate: number): Generator<PathPoint> {
  if (!(frameRate > 0 && Number.isFinite(frameRate))) throw new RangeError(`${frameRate} is not a frame rate`);
  let first: number | undefined;
  let before: VelocityOfFrame | undefined;
  let pose = IDENTITY;
  let pathLength = 0;
  for (const row of rows) {
    first ??= row.frame;
    if (before !== undefined) {
      const seconds = (row.frame - before.frame) / frameRate;
      pose = compose(pose, exponential(before.velocity, seconds));
      pathLength += seconds * Math.hypot(before.velocity[0], before.velocity[1], before.velocity[2]);
    }
    yield { frame: row.frame, seconds: (row.frame - first) / frameRate, ...pose, pathLength };
    before = row;
  }
}

/** How far a camera is from its goal. */
export interface GoalDistance {
  metres: number;
  degrees: number;
}

/**
 * Distance of each pose of a path to the goal pose, where the true pose of the first one is known.
 *
 * @param start true pose of the path's origin in the goal camera's frame, e.g. of a golden case `T_goal_current[frame]`
 *   by `poseOfMatrix`
 */
export function* goalDistances(path: Iterable<Pose>, start: Pose): Generator<GoalDistance> {
  for (const pose of path) {
    const { position, rotation } = compose(start, pose);
    yield { metres: Math.hypot(...position), degrees: (Math.hypot(...axisAngle(rotation)) * 180) / Math.PI };
  }
}

/** `first`, then `second` as seen from there. */
export function compose(first: Pose, second: Pose): Pose {
  const [x, y, z] = rotate(first.rotation, second.position);
  const [px, py, pz] = first.position;
  return { position: [px + x, py + y, pz + z], rotation: unit(product(first.rotation, second.rotation)) };
}

/**
 * Rigid motion of a body that keeps a velocity, given in its own frame, for so many seconds: a screw.
 *
 * @param velocity [vx, vy, vz, wx, wy, wz], m/s and rad/s
 */
export function exponential(velocity: readonly number[], seconds: number): Pose {
  const [x, y, z, a, b, c] = velocity.map((component) => component * seconds) as unknown as Twist;
  const angle = Math.hypot(a, b, c);
  const half = sinc(angle / 2) / 2;
  const along: Vector = [x, y, z];
  const across = cross([a, b, c], along);
  const twice = cross([a, b, c], across);
  // (1 − cos θ) / θ² and (θ − sin θ) / θ³ lose their digits near zero, where their series need two terms only.
  const first = 2 * half ** 2;
  const second = angle < 1e-2 ? 1 / 6 - angle ** 2 / 120 : (angle - Math.sin(angle)) / angle ** 3;
  return {
    position: [0, 1, 2].map((k) => along[k] + first * across[k] + second * twice[k]) as unknown as Vector,
    rotation: [Math.cos(angle / 2), half * a, half * b, half * c],
  };
}

type Twist = readonly [number, number, number, number, number, number];

/** Rotation vector: the axis times the angle in radians, at most π. */
export function axisAngle([w, x, y, z]: Quaternion): Vector {
  const length = Math.hypot(x, y, z);
  // q and −q are one rotation: the shorter way round. Near the identity the angle is twice the vector part.
  const factor = length < 1e-12 ? 2 * (Math.sign(w) || 1) : (2 * Math.atan(length / w)) / length;
  return [factor * x, factor * y, factor * z];
}

/**
 * @param matrix homogeneous, 4 rows of 4, with a rotation in its upper left
 * @throws RangeError when it is no such matrix
 */
export function poseOfMatrix(matrix: readonly (readonly number[])[]): Pose {
  const [[a, b, c, x], [d, e, f, y], [g, h, i, z]] = matrix as unknown as [Row, Row, Row];
  // Shepperd's method: divide by the largest of the four components.
  const candidates: Quaternion[] = [
    [1 + a + e + i, h - f, c - g, d - b],
    [h - f, 1 + a - e - i, b + d, c + g],
    [c - g, b + d, 1 - a + e - i, f + h],
    [d - b, c + g, f + h, 1 - a - e + i],
  ];
  const sizes = candidates.map((candidate, k) => candidate[k]);
  const rotation = candidates[sizes.indexOf(Math.max(...sizes))] ?? candidates[0];
  const pose = { position: [x, y, z] as const, rotation: unit(rotation) };
  if ([...pose.position, ...pose.rotation].every(Number.isFinite)) return pose;
  throw new RangeError('The matrix is no rigid motion.');
}

type Row = readonly [number, number, number, number];

function sinc(angle: number): number {
  return angle === 0 ? 1 : Math.sin(angle) / angle;
}

function product([a, b, c, d]: Quaternion, [e, f, g, h]: Quaternion): Quaternion {
  return [
    a * e - b * f - c * g - d * h,
    a * f + b * e + c * h - d * g,
    a * g - b * h + c * e + d * f,
    a * h + b * g - c * f + d * e,
  ];
}

/** Rounding would let it grow over a million frames. */
function unit(quaternion: Quaternion): Quaternion {
  const length = Math.hypot(...quaternion);
  return quaternion.map((component) => component / length) as unknown as Quaternion;
}

function rotate([w, x, y, z]: Quaternion, vector: Vector): Vector {
  const axis: Vector = [x, y, z];
  const across = cross(axis, vector);
  const twice = cross(axis, across);
  return [0, 1, 2].map((k) => vector[k] + 2 * (w * across[k] + twice[k])) as unknown as Vector;
}

function cross([a, b, c]: Vector, [x, y, z]: Vector): Vector {
  return [b * z - c * y, c * x - a * z, a * y - b * x];
}
