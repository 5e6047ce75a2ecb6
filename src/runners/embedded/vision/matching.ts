import type { Descriptors, Features } from './features.js';
import { EuclideanSearch, type FloatDescriptors } from './euclidean-search.js';
import { KernelArena, loadKernel } from './kernel-module.js';
import type { MatchKernel } from './match-kernel.js';

/** A nearest neighbour counts only when the second nearest is this much farther (Lowe 2004, section 7.1). */
const DISTANCE_RATIO = 0.8;
const FIELDS_PER_QUERY = 3;
const FIELDS_PER_TRAIN = 2;
/** Pairs of keypoints that show the same spot; entry i of both arrays belongs to pair i. */
export interface Matches {
  count: number;
  /** Indices of goal keypoints, ascending, none twice. */
  goal: Int32Array;
  /** Indices of current keypoints, none twice. */
  current: Int32Array;
}

const NO_MATCHES: Matches = { count: 0, goal: new Int32Array(0), current: new Int32Array(0) };

/** A goal whose descriptors lie in the kernel's memory. */
interface PlacedGoal {
  features: Features;
  search: (current: Features, queryOut: number, trainOut: number) => void;
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
  private readonly euclidean: EuclideanSearch;
  private readonly start: number;
  /** Stays in the kernel's memory for as long as the same goal comes. */
  private goal: PlacedGoal | null = null;
  private afterGoal: number;

  private constructor(private readonly kernel: MatchKernel) {
    this.arena = new KernelArena(kernel);
    this.euclidean = new EuclideanSearch(kernel, this.arena);
    this.start = this.arena.mark();
    this.afterGoal = this.start;
  }

  /**
   * @param goal unchanged since it was last passed, as long as it is the same object
   * @throws RunnerInputError when there is no memory for the descriptors; Error when the descriptors are of two kinds
   */
  match(goal: Features, current: Features): Matches {
    const { metric, length } = goal.descriptors;
    if (current.descriptors.metric !== metric || current.descriptors.length !== length) {
      throw new Error('Descriptors of different kinds cannot be compared');
    }
    // One descriptor has no second nearest: nothing to compare with.
    if (goal.count < 2 || current.count === 0) return NO_MATCHES;
    const { search } = this.placedGoal(goal);
    this.arena.rewind(this.afterGoal);
    const queryOut = this.arena.reserve(current.count * FIELDS_PER_QUERY * 4);
    const trainOut = this.arena.reserve(goal.count * FIELDS_PER_TRAIN * 4);
    search(current, queryOut, trainOut);
    return mutualMatches(
      ratioOf(metric),
      this.arena.integers(queryOut, current.count * FIELDS_PER_QUERY),
      this.arena.integers(trainOut, goal.count * FIELDS_PER_TRAIN),
    );
  }

  private placedGoal(goal: Features): PlacedGoal {
    if (this.goal?.features === goal) return this.goal;
    this.goal = null;
    this.arena.rewind(this.start);
    const placed = { features: goal, search: this.searchOf(goal) };
    this.afterGoal = this.arena.mark();
    this.goal = placed;
    return placed;
  }

  private searchOf(goal: Features): PlacedGoal['search'] {
    if (goal.descriptors.metric === 'hamming') {
      const trains = this.placeBinary(goal.descriptors.values);
      const { length } = goal.descriptors;
      return (current, queryOut, trainOut) => {
        const queries = this.placeBinary(current.descriptors.values);
        this.kernel.nearestHamming(queries, current.count, trains, goal.count, length, queryOut, trainOut);
      };
    }
    const placed = this.euclidean.placeGoal(floatDescriptors(goal));
    return (current, queryOut, trainOut) =>
      this.euclidean.search(placed, floatDescriptors(current), 1 / ratioOf('euclidean'), queryOut, trainOut);
  }

  private placeBinary({ buffer, byteOffset, byteLength }: Uint8Array | Int16Array): number {
    const address = this.arena.reserve(byteLength);
    this.arena.bytes(address, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
    return address;
  }
}

function floatDescriptors({ count, descriptors }: Features): FloatDescriptors {
  if (descriptors.metric !== 'euclidean') throw new Error('Descriptors of different kinds cannot be compared');
  return { count, length: descriptors.length, values: descriptors.values };
}

/** Of distances as the kernel returns them: Euclidean ones are squared. */
function ratioOf(metric: Descriptors['metric']): number {
  return metric === 'euclidean' ? DISTANCE_RATIO ** 2 : DISTANCE_RATIO;
}

function mutualMatches(ratio: number, ofQuery: Int32Array, ofTrain: Int32Array): Matches {
  const trainCount = ofTrain.length / FIELDS_PER_TRAIN;
  const goal = new Int32Array(trainCount);
  const current = new Int32Array(trainCount);
  let count = 0;
  for (let train = 0; train < trainCount; train++) {
    const query = ofTrain[train * FIELDS_PER_TRAIN]!;
    if (query < 0 || ofQuery[query * FIELDS_PER_QUERY] !== train) continue;
    const distance = ofQuery[query * FIELDS_PER_QUERY + 1]!;
    const second = ofQuery[query * FIELDS_PER_QUERY + 2]!;
    if (distance >= ratio * second) continue;
    goal[count] = train;
    current[count++] = query;
  }
  return { count, goal: goal.slice(0, count), current: current.slice(0, count) };
}
