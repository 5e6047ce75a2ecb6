import type { FeatureDetector, Features } from './features.js';
import { KernelArena, loadKernel, type KernelExports } from './kernel-module.js';
import { BORDER, orbLevels, type OrbLevel } from './orb-levels.js';
import { ORB_PATTERN } from './orb-pattern.js';
import { MAXIMUM_KEYPOINTS } from './strongest.js';

const DESCRIPTOR_LENGTH = 32;
const COMPARISONS = 256;
/** Standard deviation, in pixels of a level, of the smoothing before pixels are compared. */
const SMOOTHING_SIGMA = 2;
/** Farthest pixel of the pattern, which reaches (13, 13) and is turned. */
const PATTERN_RADIUS = 18;
/** What the kernel may touch after a plane: rows, and bytes. */
const SLACK_ROWS = 32;
const SLACK_BYTES = 32;
/** What a smoothed level leaves out on each side: no keypoint's pattern reaches there. */
const SMOOTHED_BORDER = BORDER - PATTERN_RADIUS;
/** A level of a regular pattern has any number of equally strong corners. */
const MAXIMUM_PER_LEVEL = MAXIMUM_KEYPOINTS / 8;

/** Exports of `kernels/orb.as.ts`; all addresses in bytes. */
interface OrbKernel extends KernelExports {
  shrinkScratchBytes(targetWidth: number): number;
  shrink(
    source: number,
    sourceWidth: number,
    sourceHeight: number,
    target: number,
    width: number,
    height: number,
    scratch: number,
  ): void;
  cornerScratchBytes(width: number): number;
  findCorners(
    plane: number,
    width: number,
    height: number,
    border: number,
    rows: number,
    out: number,
    scores: number,
  ): number;
  keepStrongest(pixels: number, strengths: number, count: number, wanted: number): number;
  harrisResponses(plane: number, width: number, pixels: number, count: number, out: number): void;
  discBytes(): number;
  fillDisc(disc: number): void;
  directions(plane: number, width: number, pixels: number, count: number, disc: number, out: number): void;
  smoothedBytes(width: number, height: number, border: number): number;
  smoothingScratchBytes(width: number, height: number, border: number): number;
  smoothAround(
    source: number,
    width: number,
    height: number,
    border: number,
    pixels: number,
    count: number,
    reach: number,
    sigma: number,
    target: number,
    scratch: number,
  ): void;
  describe(
    smoothed: number,
    width: number,
    border: number,
    pixels: number,
    angles: number,
    count: number,
    pattern: number,
    out: number,
  ): void;
}

/** Addresses of the working memory for one frame size. */
interface Workspace {
  /** The level being searched, and the next one; they change places. */
  planes: [number, number];
  smoothed: number;
  /** Pixel indices of corners (int32), their strengths (bytes) and their responses or directions (float32). */
  pixels: number;
  strengths: number;
  values: number;
  scratch: number;
}

/** Keypoints of one level, by ascending pixel index; entry i of each array belongs to keypoint i. */
export interface OrbLevelKeypoints {
  level: OrbLevel;
  /** Row-major pixel index in the level. */
  pixels: Int32Array;
  responses: Float32Array;
  /** Degrees from 0 to 360, from x towards y. */
  angles: Float32Array;
  /** Keypoint i's 32 bytes lie at 32 * i. */
  descriptors: Uint8Array;
}

/**
 * Oriented FAST corners with rotated BRIEF descriptors (Rublee, Rabaud, Konolige & Bradski, "ORB: an efficient alternative
 * to SIFT or SURF", ICCV 2011): keypoints and descriptors of OpenCV 4.x's `ORB_create()` with default parameters.
 */
export class OrbDetector implements FeatureDetector {
  /** @throws Error when the kernel is not built */
  static async create(): Promise<OrbDetector> {
    return new OrbDetector(await loadKernel<OrbKernel>('orb'));
  }

  private readonly arena: KernelArena;
  private readonly disc: number;
  private readonly pattern: number;
  private readonly workStart: number;

  private constructor(private readonly kernel: OrbKernel) {
    this.arena = new KernelArena(kernel);
    this.disc = this.arena.reserve(kernel.discBytes());
    this.pattern = this.arena.reserve(4 * COMPARISONS * 4);
    this.workStart = this.arena.mark();
    kernel.fillDisc(this.disc);
    const pattern = this.arena.floats(this.pattern, 4 * COMPARISONS);
    ORB_PATTERN.forEach((value, i) => (pattern[(i % 4) * COMPARISONS + Math.floor(i / 4)] = value));
  }

  detect(gray: Uint8Array, width: number, height: number): Features {
    const levels = this.detectKeypoints(gray, width, height);
    const count = levels.reduce((sum, { pixels }) => sum + pixels.length, 0);
    const points = new Float32Array(2 * count);
    const values = new Uint8Array(DESCRIPTOR_LENGTH * count);
    let keypoint = 0;
    for (const { level, pixels, descriptors } of levels) {
      values.set(descriptors, DESCRIPTOR_LENGTH * keypoint);
      // Levels are made with pixel centres aligned and a rounded size. OpenCV multiplies the pixel index by the nominal
      // scale instead, which moves keypoints by up to 1.3 pixels, differently on each level: a change of distance would
      // turn that into a wrong velocity.
      const scaleX = width / level.width;
      const scaleY = height / level.height;
      for (const pixel of pixels) {
        points[2 * keypoint] = ((pixel % level.width) + 0.5) * scaleX - 0.5;
        points[2 * keypoint + 1] = (Math.floor(pixel / level.width) + 0.5) * scaleY - 0.5;
        keypoint++;
      }
    }
    return { count, points, descriptors: { metric: 'hamming', length: DESCRIPTOR_LENGTH, values } };
  }

  /** Keypoints level by level, in the coordinates of each level. */
  detectKeypoints(gray: Uint8Array, width: number, height: number): OrbLevelKeypoints[] {
    const levels = orbLevels(width, height);
    if (levels.length === 0) return [];
    const workspace = this.reserveWorkspace(width, height);
    this.arena.bytes(workspace.planes[0], width * height).set(gray);
    return levels.map((level, i) => {
      if (i > 0) this.shrink(levels[i - 1]!, level, workspace);
      return this.levelKeypoints(level, workspace);
    });
  }

  dispose(): void {
    // The kernel's memory goes with this object.
  }

  private reserveWorkspace(width: number, height: number): Workspace {
    const { arena, kernel } = this;
    arena.rewind(this.workStart);
    const pixels = width * height;
    const planeBytes = width * (height + SLACK_ROWS) + SLACK_BYTES;
    // No two neighbouring pixels are both corners: at most a quarter of all.
    const corners = Math.ceil(pixels / 4);
    const scratch = [
      kernel.shrinkScratchBytes(width),
      kernel.smoothingScratchBytes(width, height, SMOOTHED_BORDER),
      kernel.cornerScratchBytes(width),
    ];
    return {
      planes: [arena.reserve(planeBytes), arena.reserve(planeBytes)],
      smoothed: arena.reserve(kernel.smoothedBytes(width, height, SMOOTHED_BORDER)),
      pixels: arena.reserve(corners * 4),
      strengths: arena.reserve(corners),
      values: arena.reserve(corners * 4),
      scratch: arena.reserve(Math.max(...scratch)),
    };
  }

  private shrink(from: OrbLevel, to: OrbLevel, { planes, scratch }: Workspace): void {
    this.kernel.shrink(planes[0], from.width, from.height, planes[1], to.width, to.height, scratch);
    planes.reverse();
  }

  private levelKeypoints(level: OrbLevel, workspace: Workspace): OrbLevelKeypoints {
    const { width, height } = level;
    const { planes, smoothed, values, scratch } = workspace;
    const responses = this.strongestCorners(level, workspace);
    const count = responses.length;
    this.kernel.directions(planes[0], width, workspace.pixels, count, this.disc, values);
    this.kernel.smoothAround(
      planes[0],
      width,
      height,
      SMOOTHED_BORDER,
      workspace.pixels,
      count,
      PATTERN_RADIUS,
      SMOOTHING_SIGMA,
      smoothed,
      scratch,
    );
    const work = this.arena.mark();
    const descriptors = this.arena.reserve(count * DESCRIPTOR_LENGTH);
    this.kernel.describe(smoothed, width, SMOOTHED_BORDER, workspace.pixels, values, count, this.pattern, descriptors);
    this.arena.rewind(work);
    return {
      level,
      pixels: this.arena.integers(workspace.pixels, count).slice(),
      responses,
      angles: this.arena.floats(values, count).slice(),
      descriptors: this.arena.bytes(descriptors, count * DESCRIPTOR_LENGTH).slice(),
    };
  }

  /**
   * Leaves the corners of greatest Harris response in the workspace's `pixels`; of twice as many, chosen by how much they
   * stand out. Corners as good as the last one wanted are kept, too.
   * @returns their responses
   */
  private strongestCorners({ width, height, quota }: OrbLevel, workspace: Workspace): Float32Array {
    const { planes, pixels, strengths, values, scratch } = workspace;
    const found = this.kernel.findCorners(planes[0], width, height, BORDER, scratch, pixels, strengths);
    const standingOut = this.kernel.keepStrongest(pixels, strengths, found, 2 * quota);
    this.kernel.harrisResponses(planes[0], width, pixels, standingOut, values);
    const responses = this.arena.floats(values, standingOut);
    const corners = this.arena.integers(pixels, standingOut);
    const kept = keepBest(corners, responses, quota);
    const spread = thinOut(corners, responses, kept, MAXIMUM_PER_LEVEL);
    return responses.slice(0, spread);
  }
}

/**
 * Moves the entries of greatest value to the front, in their order.
 * @returns how many they are: `count`, and those as great as the last of them
 */
function keepBest(entries: Int32Array, values: Float32Array, count: number): number {
  if (values.length <= count) return values.length;
  const least = values.slice().sort()[values.length - count]!;
  let kept = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < least) continue;
    entries[kept] = entries[i]!;
    values[kept] = values[i]!;
    kept++;
  }
  return kept;
}

/** Keeps `most` of the first `count` entries, evenly from all over the image; returns how many are left. */
function thinOut(entries: Int32Array, values: Float32Array, count: number, most: number): number {
  if (count <= most) return count;
  for (let i = 0; i < most; i++) {
    const chosen = Math.floor((i * count) / most);
    entries[i] = entries[chosen]!;
    values[i] = values[chosen]!;
  }
  return most;
}
