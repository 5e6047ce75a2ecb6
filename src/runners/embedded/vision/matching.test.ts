import { describe, expect, it } from 'vitest';
import type { Descriptors, Features } from './features.js';
import { Matcher } from './matching.js';
import { createRandom } from './random.js';

describe('Matcher', () => {
  it.each(['euclidean', 'hamming'] as const)('agrees with a plain search (%s)', async (metric) => {
    const matcher = await Matcher.create();
    const goal = randomFeatures(metric, 150, 1);
    const current = jitter(randomFeatures(metric, 150, 1), 20);
    expect(matcher.match(goal, current)).toEqual(plainMatch(goal, current));
    expect(matcher.match(goal, current).length).toBeGreaterThan(20);
  });

  it('keeps the nearest of several current keypoints with the same goal keypoint', async () => {
    const matcher = await Matcher.create();
    const goal = randomFeatures('euclidean', 5, 1);
    const near = jitter(goal, 2);
    const current = concatenate(jitter(goal, 6), near);
    expect(matcher.match(goal, current)).toEqual([0, 1, 2, 3, 4].map((i) => ({ goal: i, current: 5 + i })));
  });

  it('has no match for identical descriptors, no keypoints or no second neighbour beyond doubt', async () => {
    const matcher = await Matcher.create();
    const same = concatenate(randomFeatures('hamming', 1, 1), randomFeatures('hamming', 1, 1));
    expect(matcher.match(same, same)).toEqual([]);
    expect(matcher.match(same, randomFeatures('hamming', 0, 1))).toEqual([]);
  });
});

function randomFeatures(metric: Descriptors['metric'], count: number, seed: number): Features {
  const random = createRandom(seed);
  const bytes = (length: number): number[] => Array.from({ length: count * length }, () => Math.floor(random() * 256));
  const descriptors: Descriptors =
    metric === 'euclidean'
      ? { metric, length: 128, values: Int16Array.from(bytes(128)) }
      : { metric, length: 64, values: Uint8Array.from(bytes(64)) };
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

function plainMatch(goal: Features, current: Features): { goal: number; current: number }[] {
  const best = new Map<number, { current: number; distance: number }>();
  for (let query = 0; query < current.count; query++) {
    const distances = Array.from({ length: goal.count }, (_, train) => distance(current, query, goal, train));
    const [nearest, second] = distances.map((value, train) => ({ value, train })).sort((a, b) => a.value - b.value);
    if (nearest!.value >= 0.8 * second!.value) continue;
    if (nearest!.value < (best.get(nearest!.train)?.distance ?? Infinity)) {
      best.set(nearest!.train, { current: query, distance: nearest!.value });
    }
  }
  return [...best].sort(([a], [b]) => a - b).map(([index, { current: query }]) => ({ goal: index, current: query }));
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
