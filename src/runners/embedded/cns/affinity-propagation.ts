import { createRandom } from '../vision/random.js';
import { medianSquaredDistance, squaredDistance, type Points } from './plane-points.js';

const DAMPING = 0.9;
const MAXIMUM_ITERATIONS = 200;
/** So many iterations without a change of exemplars end the search. */
const STABLE_ITERATIONS = 15;
/** Share of the median squared distance that a row reaches out to at first: about one point in twenty-five lies within. */
const FIRST_REACH = 0.07;
/** How far beyond what is needed a row reaches out later, so that it seldom has to do so again. */
const REACH_MARGIN = 1.25;
/**
 * Preferences differ by this share at random, or points in the same place stay tied for long. Shares from 1e-8 on lead to
 * other clusters than the smallest ones do.
 */
const TIE_BREAK = 1e-13;
const TIE_BREAK_SEED = 5;

/**
 * What point `i` and the points in its reach say to each other; entry by entry alike in all arrays. `reach` is a squared
 * distance.
 */
interface Row {
  self: number;
  reach: number;
  members: Int32Array;
  similarity: Float64Array;
  responsibility: Float64Array;
  availability: Float64Array;
}

/**
 * Clusters points of the plane by affinity propagation (Frey & Dueck, "Clustering by passing messages between data
 * points", Science 315, 2007): similarity is the negative squared distance, every point's preference the median
 * similarity, damping 0.9, at most 200 iterations, fewer once the exemplars stay the same for 15.
 *
 * The messages are the same as with full n x n matrices, but for rounding; few are stored. A point far away from `i`
 * cannot be among the two best candidates of `i` (availabilities of others are never positive), which is all that `i`
 * ever asks of it, and says nothing positive itself. As long as that holds its two messages follow from one number per
 * row and one per column. A row stores the messages within its reach, and reaches out when it has to.
 *
 * @param breathe awaited between iterations; may throw to end the search
 * @returns for each point the point that stands for its cluster; null when no exemplar emerged
 */
export async function affinityPropagation(points: Points, breathe: () => Promise<void>): Promise<Int32Array | null> {
  const passing = new MessagePassing(points);
  for (let iteration = 0; iteration < MAXIMUM_ITERATIONS; iteration++) {
    passing.iterate();
    if (passing.isStable(STABLE_ITERATIONS)) break;
    await breathe();
  }
  const exemplars = passing.exemplars();
  if (exemplars.length === 0) return null;
  return assign(points, refine(points, assign(points, exemplars), exemplars));
}

class MessagePassing {
  private readonly count: number;
  private readonly rows: Row[];
  private readonly preference: Float64Array;
  /** Positive responsibilities towards each point from the others. */
  private readonly support: Float64Array;
  /** How much speaks for each point as an exemplar: its own responsibility and its support. */
  private readonly evidence: Float64Array;
  /** Availability of each point to those too far away to be interested. */
  private readonly farAvailability: Float64Array;
  /** For each row the smoothed best offer: responsibility for far points is `farWeight * similarity - offer`. */
  private readonly offer: Float64Array;
  private farWeight = 0;
  private readonly isExemplar: Uint8Array;
  private readonly unchangedFor: Int32Array;

  constructor(private readonly points: Points) {
    const count = points.length / 2;
    const median = medianSquaredDistance(points);
    this.count = count;
    const random = createRandom(TIE_BREAK_SEED);
    this.preference = Float64Array.from({ length: count }, () => -median * (1 + random() * TIE_BREAK));
    this.support = new Float64Array(count);
    this.evidence = new Float64Array(count);
    this.farAvailability = new Float64Array(count);
    this.offer = new Float64Array(count);
    this.isExemplar = new Uint8Array(count);
    this.unchangedFor = new Int32Array(count);
    this.rows = Array.from({ length: count }, (_, i) => this.rowWithin(i, FIRST_REACH * median));
  }

  iterate(): void {
    this.support.fill(0);
    for (let i = 0; i < this.count; i++) this.passResponsibilities(i);
    this.farWeight = DAMPING * this.farWeight + (1 - DAMPING);
    for (let k = 0; k < this.count; k++) {
      const { responsibility, self } = this.rows[k]!;
      const evidence = responsibility[self]! + this.support[k]!;
      this.evidence[k] = evidence;
      this.farAvailability[k] = DAMPING * this.farAvailability[k]! + (1 - DAMPING) * Math.min(0, evidence);
    }
    for (let i = 0; i < this.count; i++) this.passAvailabilities(i);
    this.noteExemplars();
  }

  /** Whether each point has been an exemplar, or none, for so many iterations, and there is one. */
  isStable(iterations: number): boolean {
    return this.unchangedFor.every((unchanged) => unchanged > iterations) && this.isExemplar.includes(1);
  }

  exemplars(): number[] {
    return [...this.isExemplar.keys()].filter((i) => this.isExemplar[i] === 1);
  }

  private passResponsibilities(i: number): void {
    const { row, top } = this.reachingTwoBest(i);
    const { members, similarity, responsibility } = row;
    const { best, first, second } = top;
    const { support } = this;
    for (let m = 0; m < members.length; m++) {
      const rival = m === best ? second : first;
      const value = DAMPING * responsibility[m]! + (1 - DAMPING) * (similarity[m]! - rival);
      responsibility[m] = value;
      if (value > 0) support[members[m]!]! += value;
    }
    const own = responsibility[row.self]!;
    if (own > 0) support[i]! -= own;
    this.offer[i] = DAMPING * this.offer[i]! + (1 - DAMPING) * first;
  }

  /** The two best candidates of point `i`, which nobody beyond the row's reach can outdo. */
  private reachingTwoBest(i: number): { row: Row; top: TwoBest } {
    let row = this.rows[i]!;
    let top = twoBest(row);
    while (top.second < -row.reach) {
      // Alone within its reach a point has no second best: there is nobody near.
      row = this.reachOut(i, Number.isFinite(top.second) ? -top.second * REACH_MARGIN : row.reach * 4 || Infinity);
      top = twoBest(row);
    }
    return { row, top };
  }

  private passAvailabilities(i: number): void {
    const { members, responsibility, availability, self } = this.rows[i]!;
    const { evidence } = this;
    const own = DAMPING * availability[self]! + (1 - DAMPING) * this.support[i]!;
    for (let m = 0; m < members.length; m++) {
      const said = responsibility[m]!;
      const others = said > 0 ? evidence[members[m]!]! - said : evidence[members[m]!]!;
      const smoothed = DAMPING * availability[m]!;
      availability[m] = others < 0 ? smoothed + (1 - DAMPING) * others : smoothed;
    }
    availability[self] = own;
  }

  private noteExemplars(): void {
    for (let i = 0; i < this.count; i++) {
      const { responsibility, availability, self } = this.rows[i]!;
      const isExemplar = responsibility[self]! + availability[self]! > 0 ? 1 : 0;
      this.unchangedFor[i] = isExemplar === this.isExemplar[i] ? this.unchangedFor[i]! + 1 : 1;
      this.isExemplar[i] = isExemplar;
    }
  }

  private reachOut(i: number, reach: number): Row {
    const old = this.rows[i]!;
    const row = this.rowWithin(i, reach);
    let known = 0;
    for (let m = 0; m < row.members.length; m++) {
      if (row.members[m] !== old.members[known]) continue;
      row.responsibility[m] = old.responsibility[known]!;
      row.availability[m] = old.availability[known]!;
      known++;
    }
    this.rows[i] = row;
    return row;
  }

  /** A row with the messages of points that were too far away so far. */
  private rowWithin(i: number, reach: number): Row {
    const { points, count } = this;
    let size = 0;
    for (let k = 0; k < count; k++) if (squaredDistance(points, i, k) <= reach) size++;
    const row: Row = {
      self: 0,
      reach,
      members: new Int32Array(size),
      similarity: new Float64Array(size),
      responsibility: new Float64Array(size),
      availability: new Float64Array(size),
    };
    let m = 0;
    for (let k = 0; k < count; k++) {
      const distance = squaredDistance(points, i, k);
      if (distance > reach) continue;
      if (k === i) row.self = m;
      row.members[m] = k;
      row.similarity[m] = k === i ? this.preference[i]! : -distance;
      row.responsibility[m] = -this.farWeight * distance - this.offer[i]!;
      row.availability[m] = this.farAvailability[k]!;
      m++;
    }
    return row;
  }
}

/** The entry with the greatest sum of availability and similarity, that sum, and the greatest of the other entries. */
interface TwoBest {
  best: number;
  first: number;
  second: number;
}

function twoBest({ availability, similarity }: Row): TwoBest {
  let best = -1;
  let first = -Infinity;
  let second = -Infinity;
  for (let m = 0; m < availability.length; m++) {
    const value = availability[m]! + similarity[m]!;
    if (value <= second) continue;
    if (value > first) {
      second = first;
      first = value;
      best = m;
    } else {
      second = value;
    }
  }
  return { best, first, second };
}

/** For each point the nearest exemplar; exemplars stand for themselves. */
function assign(points: Points, exemplars: readonly number[]): Int32Array {
  const labels = new Int32Array(points.length / 2);
  for (let i = 0; i < labels.length; i++) {
    let nearest = Infinity;
    for (const exemplar of exemplars) {
      const distance = squaredDistance(points, i, exemplar);
      if (distance >= nearest) continue;
      nearest = distance;
      labels[i] = exemplar;
    }
  }
  for (const exemplar of exemplars) labels[exemplar] = exemplar;
  return labels;
}

/** For each cluster the member that is most similar to all of it. */
function refine(points: Points, labels: Int32Array, exemplars: readonly number[]): number[] {
  return exemplars.map((exemplar) => {
    const members = [...labels.keys()].filter((i) => labels[i] === exemplar);
    let refined = exemplar;
    let least = Infinity;
    for (const candidate of members) {
      let sum = 0;
      for (const member of members) sum += squaredDistance(points, member, candidate);
      if (sum >= least) continue;
      least = sum;
      refined = candidate;
    }
    return refined;
  });
}
