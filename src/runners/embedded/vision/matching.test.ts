import { describe, expect, it } from 'vitest';
import type { Descriptors, Features } from './features.js';
import { Matcher, type Matches } from './matching.js';
import { createRandom } from './random.js';

describe('Matcher', () => {
  it.each(['euclidean', 'hamming'] as const)('agrees with a plain search (%s)', async (metric) => {
    const matcher = await Matcher.create();
    const goal = randomFeatures(metric, 150, 1);
    const current = jitter(randomFeatures(metric, 150, 1), 20);
    expect(pairs(matcher.match(goal, current))).toEqual(plainMatch(goal, current));
    expect(matcher.match(goal, current).count).toBeGreaterThan(20);
  });

  it('compares binary descriptors of 32 bytes, too', async () => {
    const matcher = await Matcher.create();
    const goal = randomFeatures('hamming', 150, 1, 32);
    const current = jitter(goal, 20);
    expect(pairs(matcher.match(goal, current))).toEqual(plainMatch(goal, current));
    expect(matcher.match(goal, current).count).toBeGreaterThan(100);
  });

  it('matches a goal keypoint with the nearest of several current keypoints only', async () => {
    const matcher = await Matcher.create();
    const goal = randomFeatures('euclidean', 5, 1);
    const current = concatenate(jitter(goal, 6), jitter(goal, 2));
    expect(pairs(matcher.match(goal, current))).toEqual([0, 1, 2, 3, 4].map((i) => [i, 5 + i]));
  });

  it('drops a match whose goal keypoint has a nearer current keypoint that itself fails the ratio test', async () => {
    const matcher = await Matcher.create();
    const goal = euclidean([0, 0], [100, 0], [0, 200]);
    // The first is between two goal keypoints and nearest to goal 0; the second would pass the ratio test with goal 0.
    expect(pairs(matcher.match(goal, euclidean([45, 0], [-50, 0])))).toEqual([]);
    expect(pairs(matcher.match(goal, euclidean([-50, 0])))).toEqual([[0, 0]]);
  });

  it.each(['euclidean', 'hamming'] as const)(
    'has no match for twins, no keypoints or no second neighbour (%s)',
    async (metric) => {
      const matcher = await Matcher.create();
      const one = randomFeatures(metric, 1, 1);
      const twins = concatenate(one, one);
      expect(matcher.match(twins, twins).count).toBe(0);
      expect(matcher.match(twins, randomFeatures(metric, 0, 1)).count).toBe(0);
      expect(matcher.match(randomFeatures(metric, 0, 1), twins).count).toBe(0);
      expect(matcher.match(one, one).count).toBe(0);
    },
  );

  it.each(['euclidean', 'hamming'] as const)('takes the first of current twins (%s)', async (metric) => {
    const matcher = await Matcher.create();
    const goal = randomFeatures(metric, 9, 1);
    expect(pairs(matcher.match(goal, concatenate(goal, goal)))).toEqual(Array.from({ length: 9 }, (_, i) => [i, i]));
  });

  it.each([
    ['near twins, where every sketch is near', 1],
    ['long ones, with squared distances near the limit', 90],
  ])('stays exact for descriptors that are %s', async (_, stretch) => {
    const matcher = await Matcher.create();
    const goal = clustered(120, stretch, 1);
    const current = clustered(140, stretch, 2);
    expect(pairs(matcher.match(goal, current))).toEqual(plainMatch(goal, current));
    expect(pairs(matcher.match(goal, goal))).toEqual(plainMatch(goal, goal));
  });

  it('refuses to compare descriptors of different kinds', async () => {
    const matcher = await Matcher.create();
    const binary = randomFeatures('hamming', 5, 1);
    expect(() => matcher.match(binary, randomFeatures('euclidean', 5, 1))).toThrow(/different kinds/);
    expect(() => matcher.match(euclidean([1], [2]), randomFeatures('euclidean', 5, 1))).toThrow(/different kinds/);
  });

  it('serves goals and frames of any number in turn', async () => {
    const matcher = await Matcher.create();
    for (const goalCount of [3, 200, 17, 2]) {
      const goal = randomFeatures('euclidean', goalCount, 1);
      for (const count of [1, 2, 5, 300, 4]) {
        const current = jitter(randomFeatures('euclidean', count, 1), 20);
        expect(pairs(matcher.match(goal, current))).toEqual(plainMatch(goal, current));
      }
    }
  });
});

function randomFeatures(
  metric: Descriptors['metric'],
  count: number,
  seed: number,
  binaryLength: 32 | 64 = 64,
): Features {
  const random = createRandom(seed);
  const bytes = (length: number): number[] => Array.from({ length: count * length }, () => Math.floor(random() * 256));
  const descriptors: Descriptors =
    metric === 'euclidean'
      ? { metric, length: 128, values: Int16Array.from(bytes(128)) }
      : { metric, length: binaryLength, values: Uint8Array.from(bytes(binaryLength)) };
  return { count, points: new Float32Array(2 * count), descriptors };
}

/** Changes the values a little, those of binary descriptors only here and there. */
function jitter(features: Features, amount: number): Features {
  const random = createRandom(5);
  const change = (value: number): number => Math.min(255, Math.max(0, value + Math.round((random() - 0.5) * amount)));
  const { descriptors } = features;
  return {
    ...features,
    descriptors:
      descriptors.metric === 'euclidean'
        ? { ...descriptors, values: descriptors.values.map(change) }
        : { ...descriptors, values: descriptors.values.map((value) => (random() < 0.3 ? change(value) : value)) },
  };
}

function concatenate(a: Features, b: Features): Features {
  const { metric, length } = a.descriptors;
  const values = [...a.descriptors.values, ...b.descriptors.values];
  return {
    count: a.count + b.count,
    points: Float32Array.from([...a.points, ...b.points]),
    descriptors:
      metric === 'euclidean'
        ? { metric, length, values: Int16Array.from(values) }
        : { metric, length, values: Uint8Array.from(values) },
  };
}

function pairs({ count, goal, current }: Matches): [goal: number, current: number][] {
  return Array.from({ length: count }, (_, i) => [goal[i]!, current[i]!]);
}

function plainMatch(goal: Features, current: Features): [goal: number, current: number][] {
  const table = Array.from({ length: goal.count }, (_, train) =>
    Array.from({ length: current.count }, (_, query) => distance(current, query, goal, train)),
  );
  return table.flatMap((ofTrain, train) => {
    const query = ofTrain.indexOf(Math.min(...ofTrain));
    const ofQuery = table.map((row) => row[query]!);
    const [nearest, second] = [...ofQuery].sort((a, b) => a - b);
    const mutual = ofQuery.indexOf(nearest!) === train;
    return mutual && second !== undefined && nearest! < 0.8 * second ? [[train, query] as [number, number]] : [];
  });
}

/** Descriptors that differ a little from one of eight, times `stretch`; some are equal, and all of them have both signs. */
function clustered(count: number, stretch: number, seed: number): Features {
  const random = createRandom(seed);
  const centres = createRandom(99);
  const length = 64;
  const middles = Array.from({ length: 8 * length }, () => Math.floor(centres() * 21) - 10);
  const values = Int16Array.from({ length: count * length }, (_, i) => {
    const middle = middles[(Math.floor(i / length) % 8) * length + (i % length)]!;
    return (middle + Math.round(random() * 0.6)) * stretch;
  });
  return { count, points: new Float32Array(2 * count), descriptors: { metric: 'euclidean', length, values } };
}

/** Features with these descriptors, filled with zeros. */
function euclidean(...descriptors: number[][]): Features {
  const length = 16;
  const values = new Int16Array(descriptors.length * length);
  descriptors.forEach((descriptor, i) => values.set(descriptor, i * length));
  const count = descriptors.length;
  return { count, points: new Float32Array(2 * count), descriptors: { metric: 'euclidean', length, values } };
}

function distance(a: Features, i: number, b: Features, j: number): number {
  const { metric, length } = a.descriptors;
  const p = [...a.descriptors.values.subarray(i * length, (i + 1) * length)];
  const q = b.descriptors.values.subarray(j * length, (j + 1) * length);
  if (metric === 'euclidean') return Math.hypot(...p.map((value, k) => value - q[k]!));
  return p.reduce((sum, value, k) => sum + bitCount(value ^ q[k]!), 0);
}

function bitCount(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}
