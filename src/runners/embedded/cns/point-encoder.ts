import type { GoalClusters } from './goal-clusters.js';
import type { NetworkLayers } from './layers.js';
import { fromColumn, fromRow, padded, type Block, type NetworkKernel, type PlacedLayer } from './network-kernel.js';
import type { Points } from './plane-points.js';
import { WIDTH } from './weights.js';

/** Current position; centre minus current position; centre minus goal position. */
const POINT_INPUTS = 6;
/** Points that go through all layers together: what lies between two layers stays in the first-level cache. */
const TILE = 32;

/** The goal's points seen in one frame. */
export interface VisiblePoints {
  /** Indices of goal points, each once, in any order; at least one. */
  indices: Int32Array;
  /** Their positions in the frame, normalised image coordinates, x0, y0, x1, y1, … */
  positions: Points;
}

/** Attention logits and values of points that are sorted by cluster; one row per point. */
interface EncodedPoints {
  logits: Block;
  /** [first layer of the logits, values] */
  mixed: Block;
}

interface Goal {
  /** Point indices sorted by cluster; the place of a point in it is its rank. */
  order: Int32Array;
  clusterOf: Int32Array;
  clusterCount: number;
  /** Rounded to single precision. */
  points: Float32Array;
  centers: Float32Array;
  /** What `pointMix` adds for the points of each cluster. */
  clusterAddend: Block;
  encodedGoal: EncodedPoints;
  encodedCurrent: EncodedPoints;
  input: Block;
  tile: Block;
  /** Addresses of int32: cluster, and rank, of each visible point; 0, 1, 2, …; first visible point of each cluster. */
  clusterIndex: number;
  ranks: number;
  ascending: number;
  starts: number;
}

/**
 * The encoder's attention from points to clusters: each cluster sums up its visible points, once as they are in the
 * current frame and once as they are in the goal. What a goal point contributes does not depend on the frame; only which
 * of them are visible does.
 */
export class PointEncoder {
  private readonly input: PlacedLayer;
  private readonly mix: PlacedLayer;
  private readonly centre: PlacedLayer;
  private readonly attention: PlacedLayer;
  private goal: Goal | null = null;

  constructor(
    private readonly kernel: NetworkKernel,
    layers: NetworkLayers,
  ) {
    this.input = kernel.place(layers.pointInput);
    this.mix = kernel.place(layers.pointMix);
    this.centre = kernel.place(layers.centre);
    this.attention = kernel.place(layers.attention);
  }

  /** Takes memory from the kernel's arena; the one before is given up by the arena's owner. */
  setGoal(points: Points, clusters: GoalClusters): void {
    const { kernel } = this;
    const count = points.length / 2;
    const encoded = (): EncodedPoints => ({
      logits: kernel.reserve(count, WIDTH),
      mixed: kernel.reserve(count, 2 * WIDTH),
    });
    const order = Int32Array.from({ length: count }, (_, i) => i).sort(
      (a, b) => clusters.clusterOf[a]! - clusters.clusterOf[b]! || a - b,
    );
    const goal: Goal = {
      order,
      clusterOf: clusters.clusterOf,
      clusterCount: clusters.count,
      points: Float32Array.from(points),
      centers: Float32Array.from([...clusters.centers].flatMap((i) => [points[2 * i]!, points[2 * i + 1]!])),
      clusterAddend: kernel.reserve(clusters.count, 2 * WIDTH),
      encodedGoal: encoded(),
      encodedCurrent: encoded(),
      input: kernel.reserve(count, POINT_INPUTS),
      tile: kernel.reserve(Math.max(TILE, clusters.count), 2 * WIDTH),
      clusterIndex: kernel.reserveIndices(count),
      ranks: kernel.reserveIndices(count),
      ascending: kernel.reserveIndices(count),
      starts: kernel.reserveIndices(clusters.count + 1),
    };
    this.goal = goal;
    kernel.arena.integers(goal.ascending, count).forEach((_, i, indices) => (indices[i] = i));
    this.prepareClusters(goal);
    this.gather(goal, order, points, null);
    this.encode(goal, count, goal.encodedGoal);
  }

  /**
   * @param live receives 1 for each cluster with a visible point, 0 for the others
   * @param out receives for each cluster [summary of its current points, summary of its goal points]; zeros without any
   */
  summarise({ indices, positions }: VisiblePoints, live: Uint8Array, out: Block): void {
    const { goal } = this;
    if (goal === null) throw new Error('The encoder has no goal');
    const { kernel } = this;
    const isVisible = new Uint8Array(goal.order.length);
    const current = new Float64Array(2 * goal.order.length);
    indices.forEach((index, i) => {
      isVisible[index] = 1;
      current[2 * index] = positions[2 * i]!;
      current[2 * index + 1] = positions[2 * i + 1]!;
    });
    const count = this.gather(goal, goal.order, current, isVisible);
    this.encode(goal, count, goal.encodedCurrent);
    const starts = kernel.arena.integers(goal.starts, goal.clusterCount + 1);
    for (let c = 0; c < goal.clusterCount; c++) live[c] = starts[c + 1]! > starts[c]! ? 1 : 0;
    this.attend(goal, goal.encodedCurrent, goal.ascending, out);
    this.attend(goal, goal.encodedGoal, goal.ranks, fromColumn(out, WIDTH));
  }

  /** Features of the clusters' centre points, and from them what the points of each cluster start from. */
  private prepareClusters(goal: Goal): void {
    const { kernel } = this;
    const { clusterCount, centers, clusterAddend } = goal;
    const inputs = kernel.reserve(clusterCount, POINT_INPUTS);
    const rows = kernel.view(inputs, clusterCount);
    rows.fill(0);
    for (let c = 0; c < clusterCount; c++) rows.set(centers.subarray(2 * c, 2 * c + 2), c * POINT_INPUTS);
    const values = kernel.view(this.mix.bias, 1).subarray(WIDTH);
    for (let c = 0; c < clusterCount; c++) {
      kernel.arena.floats(fromRow(clusterAddend, c).address, 2 * WIDTH).set(values, WIDTH);
    }
    kernel.apply(this.input, inputs, clusterCount, goal.tile, 2 * WIDTH);
    kernel.apply(this.centre, goal.tile, clusterCount, clusterAddend);
  }

  /**
   * Lays down the inputs of the visible points, sorted by cluster, with what leads back to cluster and rank.
   * @param isVisible null: all
   * @returns their number
   */
  private gather(goal: Goal, order: Int32Array, current: Points, isVisible: Uint8Array | null): number {
    const { arena } = this.kernel;
    const { points, centers, clusterOf, clusterCount } = goal;
    const input = arena.floats(goal.input.address, order.length * POINT_INPUTS);
    const clusterIndex = arena.integers(goal.clusterIndex, padded(order.length));
    const ranks = arena.integers(goal.ranks, order.length);
    const starts = arena.integers(goal.starts, clusterCount + 1).fill(0);
    let row = 0;
    for (let rank = 0; rank < order.length; rank++) {
      const i = order[rank]!;
      if (isVisible !== null && isVisible[i] === 0) continue;
      const cluster = clusterOf[i]!;
      const x = Math.fround(current[2 * i]!);
      const y = Math.fround(current[2 * i + 1]!);
      const centreX = centers[2 * cluster]!;
      const centreY = centers[2 * cluster + 1]!;
      const at = row * POINT_INPUTS;
      input[at] = x;
      input[at + 1] = y;
      input[at + 2] = centreX - x;
      input[at + 3] = centreY - y;
      input[at + 4] = centreX - points[2 * i]!;
      input[at + 5] = centreY - points[2 * i + 1]!;
      clusterIndex[row] = cluster;
      ranks[row] = rank;
      row++;
      starts[cluster + 1] = row;
    }
    for (let c = 1; c <= clusterCount; c++) starts[c] = Math.max(starts[c]!, starts[c - 1]!);
    // The kernel rounds the number of rows up and looks up their clusters as well.
    clusterIndex.fill(0, row, padded(row));
    return row;
  }

  private encode(goal: Goal, count: number, { logits, mixed }: EncodedPoints): void {
    const { kernel } = this;
    for (let first = 0; first < count; first += TILE) {
      const rows = Math.min(TILE, count - first);
      const mixedRows = fromRow(mixed, first);
      const addend = { rows: goal.clusterAddend, index: goal.clusterIndex + first * 4 };
      kernel.apply(this.input, fromRow(goal.input, first), rows, goal.tile, 2 * WIDTH);
      kernel.apply(this.mix, goal.tile, rows, mixedRows, WIDTH, addend);
      kernel.apply(this.attention, mixedRows, rows, fromRow(logits, first));
    }
  }

  private attend(goal: Goal, { logits, mixed }: EncodedPoints, members: number, out: Block): void {
    const values = fromColumn(mixed, WIDTH);
    this.kernel.exports.segmentAttention(
      logits.address,
      logits.stride,
      values.address,
      values.stride,
      WIDTH,
      members,
      goal.starts,
      goal.clusterCount,
      out.address,
      out.stride,
    );
  }
}
