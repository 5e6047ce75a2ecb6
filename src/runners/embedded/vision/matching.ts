import type { Descriptors, Features } from './features.js';
import { KernelArena, loadKernel, type KernelExports } from './kernel-module.js';

/** A nearest neighbour counts only when the second nearest is this much farther (Lowe 2004, section 7.1). */
const DISTANCE_RATIO = 0.8;
const FIELDS_PER_QUERY = 3;
/** The kernel works on four train descriptors at a time and may read this many beyond the last. */
const READ_AHEAD = 3;

/** Exports of `kernels/match.as.ts`; all addresses in bytes. */
interface MatchKernel extends KernelExports {
  squaredNorms(descriptors: number, count: number, length: number, out: number): void;
  nearestEuclidean(
    queries: number,
    queryNorms: number,
    queryCount: number,
    trains: number,
    trainNorms: number,
    trainCount: number,
    length: number,
    out: number,
  ): void;
  nearestHamming(
    queries: number,
    queryCount: number,
    trains: number,
    trainCount: number,
    bytes: number,
    out: number,
  ): void;
}

/** Indices of a goal keypoint and of the current keypoint that shows the same spot. */
export interface Match {
  goal: number;
  current: number;
}

/**
 * Exact two-nearest-neighbour matching with the ratio test; of several current keypoints with the same goal keypoint the
 * nearest stays.
 */
export class Matcher {
  /** @throws Error when the kernel is not built */
  static async create(): Promise<Matcher> {
    return new Matcher(await loadKernel<MatchKernel>('match'));
  }

  private readonly arena: KernelArena;
  private readonly start: number;

  private constructor(private readonly kernel: MatchKernel) {
    this.arena = new KernelArena(kernel);
    this.start = this.arena.mark();
  }

  /** @returns at most one match per goal keypoint, by ascending goal index */
  match(goal: Features, current: Features): Match[] {
    const neighbours = this.nearest(current, goal);
    const metric = goal.descriptors.metric;
    const bestOfGoal = new Map<number, { current: number; distance: number }>();
    for (let query = 0; query < current.count; query++) {
      const entry = query * FIELDS_PER_QUERY;
      const index = neighbours[entry]!;
      const distance = neighbours[entry + 1]!;
      const second = neighbours[entry + 2]!;
      if (index < 0 || !passesRatio(metric, distance, second)) continue;
      const known = bestOfGoal.get(index);
      if (known === undefined || distance < known.distance) bestOfGoal.set(index, { current: query, distance });
    }
    return [...bestOfGoal]
      .map(([index, best]) => ({ goal: index, current: best.current }))
      .sort((a, b) => a.goal - b.goal);
  }

  /** For each query: nearest train index, its distance (squared when Euclidean), distance of the second nearest. */
  private nearest(queries: Features, trains: Features): Int32Array {
    this.arena.rewind(this.start);
    const { metric, length } = trains.descriptors;
    const a = this.place(queries.descriptors);
    const b = this.place(trains.descriptors);
    const out = this.arena.reserve(queries.count * FIELDS_PER_QUERY * 4);
    if (metric === 'hamming') {
      this.kernel.nearestHamming(a, queries.count, b, trains.count, length, out);
    } else {
      const aNorms = this.norms(a, queries.count, length);
      const bNorms = this.norms(b, trains.count, length);
      this.kernel.nearestEuclidean(a, aNorms, queries.count, b, bNorms, trains.count, length, out);
    }
    return this.arena.integers(out, queries.count * FIELDS_PER_QUERY);
  }

  private place(descriptors: Descriptors): number {
    const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = descriptors.values;
    const address = this.arena.reserve(byteLength + READ_AHEAD * descriptors.length * BYTES_PER_ELEMENT);
    this.arena.bytes(address, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
    return address;
  }

  private norms(descriptors: number, count: number, length: number): number {
    const address = this.arena.reserve((count + READ_AHEAD) * 4);
    this.kernel.squaredNorms(descriptors, count, length, address);
    return address;
  }
}

function passesRatio(metric: Descriptors['metric'], distance: number, second: number): boolean {
  return metric === 'euclidean' ? distance < DISTANCE_RATIO ** 2 * second : distance < DISTANCE_RATIO * second;
}
