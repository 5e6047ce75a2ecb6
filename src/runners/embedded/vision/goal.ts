import type { DetectorName, QuarterTurn } from '../../detector.js';
import type { Features, Keypoints } from './features.js';

/** The goal frame as one detector sees it when it is turned. */
export interface GoalTurn {
  turn: QuarterTurn;
  /** Positions in the goal frame as it is. */
  features: Features;
  /** For each of the features, which of the goal's keypoints it is. */
  goalIndex: Int32Array;
}

export interface GoalPart {
  name: DetectorName;
  turns: GoalTurn[];
}

/** What is looked for in other frames. Plain typed arrays, so that it can pass between threads. */
export interface Goal {
  width: number;
  height: number;
  /**
   * All keypoints, part by part in the order written; a keypoint that several turns of a part show is there once. The
   * index of a keypoint in this list is what it is called everywhere.
   */
  keypoints: Keypoints;
  /** What each keypoint looks like, by `cutPatches`. */
  patches: Uint8Array;
  parts: GoalPart[];
}

/** What a goal takes up in memory, about. */
export function goalBytes({ keypoints, patches, parts }: Goal): number {
  return parts
    .flatMap(({ turns }) => turns)
    .map(({ features, goalIndex }) => [features.points, features.descriptors.values, goalIndex])
    .flat()
    .reduce((sum, { byteLength }) => sum + byteLength, keypoints.points.byteLength + patches.byteLength);
}

/** Keypoints of two turns of the same picture that lie this near to each other are one. */
export const SAME_PLACE_PX = 0.5;

/** Collects the keypoints of all turns and parts into one list. */
export class GoalKeypoints {
  private readonly coordinates: number[] = [];
  /** Indices of this part's keypoints by the pixel they lie in. */
  private cells = new Map<number, number[]>();

  get count(): number {
    return this.coordinates.length / 2;
  }

  /** The next part shares no keypoints with those before: its descriptors are others. */
  beginPart(): void {
    this.cells = new Map();
  }

  /** @returns the index of each of the turn's keypoints in the list; no two of them are the same */
  addTurn({ count, points }: Keypoints): Int32Array {
    const taken = new Set<number>();
    const indices = new Int32Array(count);
    const fresh: number[] = [];
    for (let i = 0; i < count; i++) {
      const [x, y] = [points[2 * i]!, points[2 * i + 1]!];
      const known = this.nearest(x, y, taken);
      if (known === null) fresh.push(this.count);
      indices[i] = known ?? this.append(x, y);
      taken.add(indices[i]!);
    }
    // Afterwards: keypoints of one turn are different ones, however near they lie.
    for (const index of fresh) this.index(index);
    return indices;
  }

  toKeypoints(): Keypoints {
    return { count: this.count, points: Float32Array.from(this.coordinates) };
  }

  private append(x: number, y: number): number {
    this.coordinates.push(x, y);
    return this.count - 1;
  }

  private index(index: number): void {
    const key = cellOf(this.coordinates[2 * index]!, this.coordinates[2 * index + 1]!);
    const cell = this.cells.get(key);
    if (cell === undefined) this.cells.set(key, [index]);
    else cell.push(index);
  }

  private nearest(x: number, y: number, taken: ReadonlySet<number>): number | null {
    let best: number | null = null;
    let bestDistance = SAME_PLACE_PX;
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        for (const index of this.cells.get(cellOf(x + dx, y + dy)) ?? []) {
          const distance = Math.hypot(this.coordinates[2 * index]! - x, this.coordinates[2 * index + 1]! - y);
          if (taken.has(index) || distance >= bestDistance) continue;
          best = index;
          bestDistance = distance;
        }
      }
    }
    return best;
  }
}

/** Wider than any picture, so that different pixels have different keys. */
const CELLS_PER_ROW = 2 ** 20;

function cellOf(x: number, y: number): number {
  return Math.floor(y) * CELLS_PER_ROW + Math.floor(x);
}
