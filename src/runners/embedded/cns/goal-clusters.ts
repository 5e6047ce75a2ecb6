import { affinityPropagation } from './affinity-propagation.js';
import { kMeans } from './k-means.js';
import { median, type Points } from './plane-points.js';

/** With no more points than this each one is a cluster. */
const MOST_SINGLE_POINTS = 16;
/** Fewer clusters than this carry too little of the scene: k-means makes so many instead. */
const FEWEST_CLUSTERS = 4;

/** More come about only where most points lie in one place; each would cost the time and the memory of a cluster. */
const MOST_CLUSTERS = 1024;

/** The goal's keypoints in groups, which stay the same for the whole job. */
export interface GoalClusters {
  count: number;
  /** Cluster of each point, 0 … count - 1. */
  clusterOf: Int32Array;
  /** For each cluster the point that stands for it: the member nearest to the median position of its members. */
  centers: Int32Array;
}

/**
 * Groups the goal's keypoints as the published controller does (hhcaz/CNS).
 *
 * @param points normalised image coordinates, at least one point
 * @param breathe awaited now and then; may throw to end the work
 */
export async function clusterGoal(points: Points, breathe: () => Promise<void>): Promise<GoalClusters> {
  const labels = await labelsOf(points, breathe);
  const known = [...new Set(labels)].sort((a, b) => a - b);
  const indexOf = new Map(known.map((label, index) => [label, index]));
  const clusterOf = labels.map((label) => indexOf.get(label)!);
  return { count: known.length, clusterOf, centers: centersOf(points, clusterOf, known.length) };
}

async function labelsOf(points: Points, breathe: () => Promise<void>): Promise<Int32Array> {
  const count = points.length / 2;
  if (count <= MOST_SINGLE_POINTS) return Int32Array.from({ length: count }, (_, i) => i);
  const labels = await affinityPropagation(points, breathe);
  const clusters = new Set(labels).size;
  if (labels !== null && clusters >= FEWEST_CLUSTERS && clusters <= MOST_CLUSTERS) return labels;
  return kMeans(points, FEWEST_CLUSTERS);
}

function centersOf(points: Points, clusterOf: Int32Array, count: number): Int32Array {
  const members: number[][] = Array.from({ length: count }, () => []);
  clusterOf.forEach((cluster, i) => members[cluster]!.push(i));
  return Int32Array.from(members, (indices) => nearestToMedian(points, indices));
}

function nearestToMedian(points: Points, indices: readonly number[]): number {
  const x = median(Float64Array.from(indices, (i) => points[2 * i]!));
  const y = median(Float64Array.from(indices, (i) => points[2 * i + 1]!));
  const distance = (i: number) => Math.hypot(points[2 * i]! - x, points[2 * i + 1]! - y);
  return indices.reduce((nearest, i) => (distance(i) < distance(nearest) ? i : nearest));
}
