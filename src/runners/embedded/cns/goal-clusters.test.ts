import { readFile } from 'node:fs/promises';

import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { createRandom } from '../vision/random.js';
import { affinityPropagation } from './affinity-propagation.js';
import { clusterGoal } from './goal-clusters.js';
import { kMeans } from './k-means.js';
import { median, medianSquaredDistance, squaredDistance } from './plane-points.js';

const breathe = () => Promise.resolve();
const numbers = z.array(z.number());
const sceneSchema = z.object({ source: z.string(), tar: numbers, cluster_of: numbers, centers: numbers });

describe('clusters of a goal', () => {
  let scenes: z.infer<typeof sceneSchema>[];

  beforeAll(async () => {
    const file = new URL('../../../../tests/fixtures/cns/graph-vectors.json', import.meta.url);
    scenes = z.array(sceneSchema).parse(JSON.parse(await readFile(file, 'utf8')));
  });

  it("are scikit-learn's on the goals of the golden cases, with the same centres", async () => {
    const golden = scenes.filter(({ source }) => source.startsWith('dev-'));
    expect(golden).toHaveLength(3);
    for (const scene of golden) {
      const clusters = await clusterGoal(Float64Array.from(scene.tar), breathe);
      expect([...clusters.clusterOf]).toEqual(scene.cluster_of);
      expect([...clusters.centers]).toEqual(scene.centers);
    }
  });

  it('are the points themselves when there are few', async () => {
    const { count, clusterOf, centers } = await clusterGoal(cloud(16), breathe);
    expect(count).toBe(16);
    expect([...clusterOf]).toEqual([...centers]);
  });

  it('are four by k-means when the points fall into fewer groups', async () => {
    const points = cloud(60).map((value, i) => value * 0.01 + (Math.floor(i / 2) % 2));
    const { count, clusterOf, centers } = await clusterGoal(points, breathe);
    expect(count).toBe(4);
    expect([...clusterOf].sort()).toEqual([...kMeans(points, 4)].sort());
    centers.forEach((center, cluster) => expect(clusterOf[center]).toBe(cluster));
  });

  it('are one when all points lie in one place', async () => {
    const { count, clusterOf } = await clusterGoal(new Float64Array(40).fill(0.25), breathe);
    expect(count).toBe(1);
    expect(new Set(clusterOf)).toEqual(new Set([0]));
  });

  it('are found where half of the points lie in one place', async () => {
    const points = cloud(80).map((value, i) => (i < 90 ? 0.5 : value));
    const { count, clusterOf, centers } = await clusterGoal(points, breathe);
    expect(count).toBeGreaterThanOrEqual(4);
    centers.forEach((center, cluster) => expect(clusterOf[center]).toBe(cluster));
  });

  it('are given up when told so between two iterations', async () => {
    const stop = new Error('stop');
    await expect(clusterGoal(cloud(100), () => Promise.reject(stop))).rejects.toBe(stop);
  });

  it('are the same every time', async () => {
    expect(await clusterGoal(cloud(300), breathe)).toEqual(await clusterGoal(cloud(300), breathe));
  });
});

describe('affinity propagation', () => {
  it('gives what the full matrices give', async () => {
    for (const count of [17, 40, 90]) {
      const points = cloud(count, count);
      expect(await affinityPropagation(points, breathe)).toEqual(withFullMatrices(points));
    }
  });
});

describe('k-means', () => {
  it('finds groups that lie apart', () => {
    const groups = [0, 1, 2, 3].flatMap((group) => [...cloud(20, group + 1)].map((value) => value * 0.1 + group));
    const labels = kMeans(Float64Array.from(groups), 4);
    for (let group = 0; group < 4; group++) expect(new Set(labels.slice(20 * group, 20 * (group + 1))).size).toBe(1);
    expect(new Set(labels).size).toBe(4);
  });
});

describe('medians', () => {
  it('of squared distances count the diagonal and every pair twice', () => {
    for (const count of [3, 4, 17, 50]) {
      const points = cloud(count, count);
      const all = Float64Array.from({ length: count ** 2 }, (_, i) =>
        squaredDistance(points, Math.floor(i / count), i % count),
      );
      expect(medianSquaredDistance(points)).toBe(median(all));
    }
  });

  it('of numbers lie between the two in the middle', () => {
    expect(median(Float64Array.of(3, 1, 2))).toBe(2);
    expect(median(Float64Array.of(4, 1, 2, 10))).toBe(3);
  });
});

function cloud(count: number, seed = 1): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length: 2 * count }, () => random() - 0.5);
}

/** The algorithm as it is written down, with n x n matrices. */
function withFullMatrices(points: Float64Array): Int32Array {
  const n = points.length / 2;
  const indices = Array.from({ length: n }, (_, i) => i);
  const preference = -medianSquaredDistance(points);
  const matrix = (entry: (i: number, k: number) => number) => indices.map((i) => indices.map((k) => entry(i, k)));
  const similarity = matrix((i, k) => (i === k ? preference : -squaredDistance(points, i, k)));
  let responsibility = matrix(() => 0);
  let availability = matrix(() => 0);
  let exemplars: number[] = [];
  let unchanged = 0;
  for (let iteration = 0; iteration < 200 && (unchanged < 15 || exemplars.length === 0); iteration++) {
    const offers = matrix((i, k) => availability[i]![k]! + similarity[i]![k]!);
    const rivals = matrix((i, k) => Math.max(...offers[i]!.filter((_, other) => other !== k)));
    responsibility = matrix((i, k) => 0.9 * responsibility[i]![k]! + 0.1 * (similarity[i]![k]! - rivals[i]![k]!));
    const support = indices.map((k) =>
      indices.reduce((sum, i) => sum + (i === k ? 0 : Math.max(0, responsibility[i]![k]!)), 0),
    );
    availability = matrix((i, k) => {
      const others = support[k]! - Math.max(0, responsibility[i]![k]!) + responsibility[k]![k]!;
      return 0.9 * availability[i]![k]! + 0.1 * (i === k ? support[k]! : Math.min(0, others));
    });
    const now = indices.filter((i) => responsibility[i]![i]! + availability[i]![i]! > 0);
    unchanged = now.join() === exemplars.join() ? unchanged + 1 : 0;
    exemplars = now;
  }
  const nearest = (i: number, among: number[]) =>
    among.reduce((best, k) => (squaredDistance(points, i, k) < squaredDistance(points, i, best) ? k : best));
  const first = indices.map((i) => nearest(i, exemplars));
  const refined = exemplars.map((exemplar) => {
    const members = indices.filter((i) => first[i] === exemplar);
    const cost = (k: number) => members.reduce((sum, i) => sum + squaredDistance(points, i, k), 0);
    return members.reduce((best, k) => (cost(k) < cost(best) ? k : best));
  });
  return Int32Array.from(indices, (i) => nearest(i, refined));
}
