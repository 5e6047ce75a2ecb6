import { createRandom } from '../vision/random.js';
import type { Points } from './plane-points.js';

const RESTARTS = 10;
const MAXIMUM_ITERATIONS = 300;
const SEED = 0x5eed;

/**
 * Clusters points of the plane by k-means (Lloyd 1982), the best of ten starts by k-means++ (Arthur & Vassilvitskii 2007).
 * Deterministic.
 *
 * @returns the cluster of each point, 0 … clusters - 1; when there are fewer places than clusters some have no point
 */
export function kMeans(points: Points, clusters: number): Int32Array {
  const random = createRandom(SEED);
  let best: Partition | null = null;
  for (let start = 0; start < RESTARTS; start++) {
    const partition = improve(points, spreadOut(points, clusters, random));
    if (best === null || partition.cost < best.cost) best = partition;
  }
  return best!.labels;
}

interface Partition {
  labels: Int32Array;
  /** Sum of the squared distances to the means. */
  cost: number;
}

/** First means: each point's chance is its squared distance to the means before it. */
function spreadOut(points: Points, clusters: number, random: () => number): Points {
  const count = points.length / 2;
  const means = new Float64Array(2 * clusters);
  const distances = new Float64Array(count).fill(1);
  for (let mean = 0; mean < clusters; mean++) {
    let rest = random() * distances.reduce((total, distance) => total + distance, 0);
    let chosen = 0;
    while (chosen < count - 1 && rest >= distances[chosen]!) rest -= distances[chosen++]!;
    means.set(points.subarray(2 * chosen, 2 * chosen + 2), 2 * mean);
    for (let i = 0; i < count; i++) {
      const distance = distanceToMean(points, i, means, mean);
      distances[i] = mean === 0 ? distance : Math.min(distances[i]!, distance);
    }
  }
  return means;
}

/** Lloyd's algorithm, from the given means to a fixed point. */
function improve(points: Points, means: Points): Partition {
  let partition = nearestMeans(points, means);
  for (let iteration = 0; iteration < MAXIMUM_ITERATIONS; iteration++) {
    const next = nearestMeans(points, meansOf(points, partition.labels, means));
    const isStable = next.labels.every((label, i) => label === partition.labels[i]);
    partition = next;
    if (isStable) break;
  }
  return partition;
}

function nearestMeans(points: Points, means: Points): Partition {
  const labels = new Int32Array(points.length / 2);
  let cost = 0;
  for (let i = 0; i < labels.length; i++) {
    let nearest = Infinity;
    for (let mean = 0; mean < means.length / 2; mean++) {
      const distance = distanceToMean(points, i, means, mean);
      if (distance >= nearest) continue;
      nearest = distance;
      labels[i] = mean;
    }
    cost += nearest;
  }
  return { labels, cost };
}

/** A cluster without points keeps its mean. */
function meansOf(points: Points, labels: Int32Array, old: Points): Points {
  const means = new Float64Array(old.length);
  const sizes = new Int32Array(old.length / 2);
  labels.forEach((label, i) => {
    means[2 * label]! += points[2 * i]!;
    means[2 * label + 1]! += points[2 * i + 1]!;
    sizes[label]!++;
  });
  return means.map((sum, i) => (sizes[i >> 1]! > 0 ? sum / sizes[i >> 1]! : old[i]!));
}

function distanceToMean(points: Points, i: number, means: Points, mean: number): number {
  const dx = points[2 * i]! - means[2 * mean]!;
  const dy = points[2 * i + 1]! - means[2 * mean + 1]!;
  return dx * dx + dy * dy;
}
