import type { Descriptors, Features } from './features.js';
import { KernelArena, loadKernel, type KernelExports } from './kernel-module.js';

/** A nearest neighbour counts only when the second nearest is this much farther (Lowe 2004, section 7.1). */
const DISTANCE_RATIO = 0.8;
const FIELDS_PER_QUERY = 3;
const FIELDS_PER_TRAIN = 2;
/** The kernel works on four train descriptors at a time and may read this many beyond the last. */
const READ_AHEAD = 3;
/** What the kernel writes where there is no neighbour. */
const NO_DISTANCE = 2 ** 30;

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
    queryOut: number,
    trainOut: number,
  ): void;
  nearestHamming(
    queries: number,
    queryCount: number,
    trains: number,
    trainCount: number,
    bytes: number,
    queryOut: number,
    trainOut: number,
  ): void;
}

/** Pairs of keypoints that show the same spot; entry i of both arrays belongs to pair i. */
export interface Matches {
  count: number;
  /** Indices of goal keypoints, ascending, none twice. */
  goal: Int32Array;
  /** Indices of current keypoints, none twice. */
  current: Int32Array;
}

/** Descriptors in the kernel's memory. */
interface Placed {
  features: Features;
  descriptors: number;
  /** Euclidean descriptors only. */
  norms: number;
}

/**
 * Exact nearest-neighbour matching: a pair counts when each is the other's nearest and the current keypoint's second
 * nearest is clearly farther. Where there is no second nearest, nothing can be told, and nothing matches.
 */
export class Matcher {
  /** @throws Error when the kernel is not built */
  static async create(): Promise<Matcher> {
    return new Matcher(await loadKernel<MatchKernel>('match'));
  }

  private readonly arena: KernelArena;
  private readonly start: number;
  /** Stays in the kernel's memory for as long as the same goal comes. */
  private goal: Placed | null = null;
  private afterGoal: number;

  private constructor(private readonly kernel: MatchKernel) {
    this.arena = new KernelArena(kernel);
    this.start = this.arena.mark();
    this.afterGoal = this.start;
  }

  /**
   * @param goal unchanged since it was last passed, as long as it is the same object
   * @throws RunnerInputError when there is no memory for the descriptors
   */
  match(goal: Features, current: Features): Matches {
    const trains = this.placedGoal(goal);
    this.arena.rewind(this.afterGoal);
    const queries = this.place(current);
    const queryOut = this.arena.reserve(current.count * FIELDS_PER_QUERY * 4);
    const trainOut = this.arena.reserve(goal.count * FIELDS_PER_TRAIN * 4);
    this.search(queries, trains, queryOut, trainOut);
    return mutualMatches(
      goal.descriptors.metric,
      this.arena.integers(queryOut, current.count * FIELDS_PER_QUERY),
      this.arena.integers(trainOut, goal.count * FIELDS_PER_TRAIN),
    );
  }

  private search(queries: Placed, trains: Placed, queryOut: number, trainOut: number): void {
    const { metric, length } = trains.features.descriptors;
    const [queryCount, trainCount] = [queries.features.count, trains.features.count];
    const { kernel } = this;
    if (metric === 'hamming') {
      kernel.nearestHamming(
        queries.descriptors,
        queryCount,
        trains.descriptors,
        trainCount,
        length,
        queryOut,
        trainOut,
      );
    } else {
      kernel.nearestEuclidean(
        queries.descriptors,
        queries.norms,
        queryCount,
        trains.descriptors,
        trains.norms,
        trainCount,
        length,
        queryOut,
        trainOut,
      );
    }
  }

  private placedGoal(goal: Features): Placed {
    if (this.goal?.features === goal) return this.goal;
    this.goal = null;
    this.arena.rewind(this.start);
    const placed = this.place(goal);
    this.afterGoal = this.arena.mark();
    this.goal = placed;
    return placed;
  }

  private place(features: Features): Placed {
    const { metric, length, values } = features.descriptors;
    const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = values;
    const descriptors = this.arena.reserve(byteLength + READ_AHEAD * length * BYTES_PER_ELEMENT);
    this.arena.bytes(descriptors, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
    if (metric === 'hamming') return { features, descriptors, norms: 0 };
    const norms = this.arena.reserve((features.count + READ_AHEAD) * 4);
    this.kernel.squaredNorms(descriptors, features.count, length, norms);
    return { features, descriptors, norms };
  }
}

function mutualMatches(metric: Descriptors['metric'], ofQuery: Int32Array, ofTrain: Int32Array): Matches {
  // Euclidean distances are squared.
  const ratio = metric === 'euclidean' ? DISTANCE_RATIO ** 2 : DISTANCE_RATIO;
  const trainCount = ofTrain.length / FIELDS_PER_TRAIN;
  const goal = new Int32Array(trainCount);
  const current = new Int32Array(trainCount);
  let count = 0;
  for (let train = 0; train < trainCount; train++) {
    const query = ofTrain[train * FIELDS_PER_TRAIN]!;
    if (query < 0 || ofQuery[query * FIELDS_PER_QUERY] !== train) continue;
    const distance = ofQuery[query * FIELDS_PER_QUERY + 1]!;
    const second = ofQuery[query * FIELDS_PER_QUERY + 2]!;
    if (second === NO_DISTANCE || distance >= ratio * second) continue;
    goal[count] = train;
    current[count++] = query;
  }
  return { count, goal: goal.slice(0, count), current: current.slice(0, count) };
}
