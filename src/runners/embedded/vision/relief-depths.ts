import { NeighbourGrid } from './neighbour-grid.js';
import { PatchComparison } from './patches.js';
import type { PixelMotion } from './pixel-motion.js';
import type { TwoFrames } from './two-frames.js';

/** Keypoints of known depth whose surfaces a keypoint may lie on, and how many of them its depth is taken from at worst. */
const NEIGHBOURS = 9;
const NEAREST = 5;
/** Surfaces nearer to each other than this many pixels of parallax look the same. */
const SURFACE_GAP_PX = 1.5;
/** A keypoint that looks this much like the goal at the depth of a neighbour lies there. */
const NEIGHBOUR_LIKENESS = 0.75;
/** The same for any depth of the scene, where chance has more places to choose from. */
const SCENE_LIKENESS = 0.8;
/** From one depth to the next when all are tried; and tries at most. */
const SEARCH_STEP_PX = 1.5;
const MAXIMUM_STEPS = 60;
/** Neighbours this many pixels of parallax apart have an edge between them. */
const EDGE_PX = 3;

/**
 * The depth of each goal keypoint of a relief. Where a keypoint was not measured, what it looks like decides which of the
 * surfaces around it, or else in the scene, it lies on: neighbours alone would put keypoints beside an edge on the wrong
 * one. A keypoint that is not recognised takes the middle depth of its neighbours, unless they lie on either side of an edge: it
 * may be hidden behind the nearer surface.
 *
 * @param measured inverse depth of each goal keypoint, NaN for those that were not measured
 * @returns inverse depth of each; NaN for those that the frame may not show
 */
export function depthsInView(measured: Float64Array, motion: PixelMotion, { goal, frame }: TwoFrames): Float64Array {
  const search = new DepthSearch(measured, motion, { goal, frame });
  const depths = measured.slice();
  const isPlain = new Uint8Array(depths.length);
  for (let keypoint = 0; keypoint < depths.length; keypoint++) {
    if (!Number.isNaN(measured[keypoint])) continue;
    if (search.select(keypoint)) depths[keypoint] = search.find();
    else isPlain[keypoint] = 1;
  }
  const around = new Surroundings(goal.keypoints.points, depths);
  const recognised = depths.slice();
  for (let keypoint = 0; keypoint < depths.length; keypoint++) {
    if (!Number.isNaN(recognised[keypoint])) continue;
    const { x, y } = around.look(keypoint);
    const middle = around.middleDepth();
    if (!motion.project(x, y, middle)) continue;
    // Of what has no texture, the picture does not say that it is missing.
    if (isPlain[keypoint] === 1 || around.depthRange() * motion.gain <= EDGE_PX) depths[keypoint] = middle;
  }
  return depths;
}

/** Finds the depth at which a keypoint looks in the frame as it does in the goal. */
class DepthSearch {
  private readonly comparison: PatchComparison;
  private readonly around: Surroundings;
  private readonly nearest: number;
  private readonly farthest: number;
  private x = 0;
  private y = 0;

  constructor(
    measured: Float64Array,
    private readonly motion: PixelMotion,
    { goal, frame }: Pick<TwoFrames, 'goal' | 'frame'>,
  ) {
    this.comparison = new PatchComparison(goal.keypoints, goal.patches, frame);
    this.around = new Surroundings(goal.keypoints.points, measured);
    const depths = measured.filter((depth) => !Number.isNaN(depth));
    this.nearest = depths.reduce((a, b) => Math.max(a, b), -Infinity);
    this.farthest = depths.reduce((a, b) => Math.min(a, b), Infinity);
  }

  /** @returns false when there is too little to see at the keypoint */
  select(keypoint: number): boolean {
    const { x, y } = this.around.look(keypoint);
    this.x = x;
    this.y = y;
    return this.comparison.select(keypoint);
  }

  /** @returns NaN when the keypoint is not recognised at any depth */
  find(): number {
    const near = this.amongNeighbours();
    return Number.isNaN(near) ? this.amongAll() : near;
  }

  private amongNeighbours(): number {
    let best = NEIGHBOUR_LIKENESS;
    let found = Number.NaN;
    let last = -Infinity;
    for (const depth of this.around.depths()) {
      if (!this.motion.project(this.x, this.y, depth)) continue;
      if ((depth - last) * this.motion.gain < SURFACE_GAP_PX) continue;
      last = depth;
      const likeness = this.likenessAt(depth);
      if (likeness < best) continue;
      best = likeness;
      found = depth;
    }
    return found;
  }

  private amongAll(): number {
    const { motion, farthest, nearest } = this;
    if (!motion.project(this.x, this.y, farthest)) return Number.NaN;
    const { x, y } = motion;
    if (!motion.project(this.x, this.y, nearest)) return Number.NaN;
    const way = Math.hypot(motion.x - x, motion.y - y);
    const steps = Math.min(Math.ceil(way / SEARCH_STEP_PX) + 1, MAXIMUM_STEPS);
    let best = SCENE_LIKENESS;
    let found = Number.NaN;
    for (let step = 0; step <= steps; step++) {
      const depth = farthest + ((nearest - farthest) * step) / steps;
      const likeness = this.likenessAt(depth);
      if (likeness < best) continue;
      best = likeness;
      found = depth;
    }
    return found;
  }

  private likenessAt(depth: number): number {
    return this.comparison.likeness(this.motion.homographyAt(depth));
  }
}

/** The keypoints of known depth around a keypoint. */
class Surroundings {
  private readonly points: Float64Array;
  private readonly grid: NeighbourGrid;
  private readonly neighbours = new Int32Array(NEIGHBOURS);
  private readonly distances = new Float64Array(NEIGHBOURS);
  private readonly sorted = new Float64Array(NEIGHBOURS);
  private count = 0;

  /** @param known inverse depth of each keypoint, NaN where it is not known */
  constructor(
    points: Float32Array,
    private readonly known: Float64Array,
  ) {
    this.points = Float64Array.from(points);
    this.grid = new NeighbourGrid(
      this.points,
      Uint8Array.from(known, (depth) => (Number.isNaN(depth) ? 0 : 1)),
    );
  }

  /** Goes to a keypoint. @returns its position */
  look(keypoint: number): { x: number; y: number } {
    const x = this.points[2 * keypoint]!;
    const y = this.points[2 * keypoint + 1]!;
    this.count = this.grid.nearest(x, y, this.neighbours, this.distances);
    return { x, y };
  }

  /** The neighbours' inverse depths, ascending; valid until the next call. */
  depths(most = NEIGHBOURS): Float64Array {
    const count = Math.min(this.count, most);
    for (let i = 0; i < count; i++) this.sorted[i] = this.known[this.neighbours[i]!]!;
    return this.sorted.subarray(0, count).sort();
  }

  /** NaN where nothing is known. */
  middleDepth(): number {
    const depths = this.depths(NEAREST);
    return depths[depths.length >> 1] ?? Number.NaN;
  }

  depthRange(): number {
    const depths = this.depths();
    return depths[depths.length - 1]! - depths[0]!;
  }
}
