import { beforeAll, describe, expect, it } from 'vitest';

import { syntheticTensors } from '../../../../tests/support/cns-weights.js';
import type { LoadedWeights } from '../cns/load-weights.js';
import { CnsWeights } from '../cns/weights.js';
import type { Keypoints } from '../vision/features.js';
import { NO_MATCHES, NO_PAIRS, type Observation } from '../vision/observation.js';
import { createRandom } from '../vision/random.js';
import { MAXIMUM_GRAPH_POINTS } from './cns.policy.js';
import { createPolicy } from './create-policy.js';
import { StateMismatchError, type ServoPolicy, type Velocity } from './servo-policy.js';

const INTRINSICS = { fx: 500, fy: 400, cx: 320, cy: 240 };
const DIGEST = 'sha256:synthetic';

describe('CNS policy', () => {
  let weights: LoadedWeights;
  const goal = keypoints(120);

  beforeAll(() => {
    weights = { weights: CnsWeights.of(syntheticTensors()), digest: DIGEST };
  });

  const start = (given: Keypoints = goal, distance = 0.5, digest = DIGEST): Promise<ServoPolicy> =>
    createPolicy({
      policy: 'cns',
      intrinsics: INTRINSICS,
      distance,
      goal: given,
      remember: async (_key, make) => make(),
      loadWeights: () => Promise.resolve({ ...weights, digest }),
      breathe: () => Promise.resolve(),
    });

  it('names the weights that it decides with', async () => {
    expect((await start()).model).toEqual({ name: 'CNS', digest: DIGEST });
  });

  it('scales the translation, and only that, by the distance prior', async () => {
    const near = (await start(goal, 0.5)).decide(frame(goal, 1))!;
    const far = (await start(goal, 1.5)).decide(frame(goal, 1))!;
    near.forEach((value, axis) => expect(far[axis]).toBeCloseTo(value * (axis < 3 ? 3 : 1), 12));
  });

  it('looks at the matches that agree with each other only', async () => {
    const clean = frame(goal, 1);
    const spoiled = structuredClone(clean);
    spoiled.inliers.fill(0, 0, 20);
    const without = structuredClone(clean);
    without.matches.count -= 20;
    without.matches.goalIndex = without.matches.goalIndex.slice(20);
    without.matches.current = without.matches.current.slice(40);
    without.inliers = without.inliers.slice(20);
    spoiled.matches.current.fill(9999, 0, 40);
    expect((await start()).decide(spoiled)).toEqual((await start()).decide(without));
    expect((await start()).decide(clean)).not.toEqual((await start()).decide(without));
  });

  it('decides nothing without a match, and remembers what it knew', async () => {
    const policy = await start();
    policy.decide(frame(goal, 1));
    const before = policy.saveState();
    const nothing = {
      keypoints: 9,
      matches: NO_MATCHES,
      inliers: new Uint8Array(0),
      weighted: NO_PAIRS,
      problem: null,
    };
    expect(policy.decide(nothing)).toBeNull();
    expect(policy.saveState()).toEqual(before);
  });

  it('remembers the frames before', async () => {
    const policy = await start();
    const first = policy.decide(frame(goal, 1));
    expect(policy.decide(frame(goal, 1))).not.toEqual(first);
  });

  it('goes on bit by bit from a saved state', async () => {
    const whole = await start();
    const velocities: (Velocity | null)[] = [];
    let saved = new Uint8Array(0);
    for (let i = 0; i < 8; i++) {
      if (i === 4) saved = Uint8Array.from(whole.saveState());
      velocities.push(whole.decide(frame(goal, i)));
    }
    const resumed = await start();
    resumed.restoreState(saved);
    for (let i = 4; i < 8; i++) expect(resumed.decide(frame(goal, i))).toEqual(velocities[i]);
    expect(resumed.saveState()).toEqual(whole.saveState());
    expect(saved.length % 512).toBe(40);
    expect(saved.length).toBeLessThanOrEqual(1024 ** 2);
  });

  it('does not go on from the state of another goal, other weights, another version or half a state', async () => {
    const policy = await start();
    policy.decide(frame(goal, 1));
    const state = policy.saveState();
    const edited = (edit: (bytes: Uint8Array) => void) => {
      const copy = Uint8Array.from(state);
      edit(copy);
      return copy;
    };
    const other = keypoints(120, 9);
    const refused: [Promise<ServoPolicy>, Uint8Array][] = [
      [start(other), state],
      [start(goal, 0.5, 'sha256:other'), state],
      [start(), edited((bytes) => (bytes[4] = 2))],
      [start(), edited((bytes) => (bytes[0] = 0))],
      [start(), state.slice(0, -512)],
      [start(), state.slice(0, -3)],
      [start(), new Uint8Array(0)],
    ];
    for (const [created, bytes] of refused) {
      const fresh = await created;
      const before = fresh.saveState();
      expect(() => {
        fresh.restoreState(bytes);
      }).toThrow(StateMismatchError);
      expect(fresh.saveState()).toEqual(before);
    }
    const stateless = await createPolicy({
      policy: 'ibvs',
      intrinsics: INTRINSICS,
      distance: 1,
      goal,
      remember: async (_key, make) => make(),
      loadWeights: () => Promise.reject(new Error('IBVS has no weights')),
      breathe: () => Promise.resolve(),
    });
    expect(stateless.saveState()).toHaveLength(0);
    expect(() => {
      stateless.restoreState(state);
    }).toThrow(StateMismatchError);
  });

  it('takes an even pick of a goal with very many keypoints, and says so', async () => {
    const many = keypoints(MAXIMUM_GRAPH_POINTS + 700);
    const policy = await start(many);
    expect(policy.warnings).toEqual([expect.stringContaining(`took ${MAXIMUM_GRAPH_POINTS} of them`)]);
    expect(policy.decide(frame(many, 1))).not.toBeNull();
    expect((await start()).warnings).toEqual([]);
  }, 60_000);
});

function keypoints(count: number, seed = 3): Keypoints {
  const random = createRandom(seed);
  return { count, points: Float32Array.from({ length: 2 * count }, (_, i) => random() * (i % 2 === 0 ? 640 : 480)) };
}

/** Every other keypoint of the goal, moved a little; another half in every other frame. */
function frame(goal: Keypoints, index: number): Observation {
  const random = createRandom(100 + index);
  const goalIndex = Int32Array.from({ length: Math.floor(goal.count / 2) }, (_, i) => 2 * i + (index % 2));
  const pick = (move: () => number) =>
    Float64Array.from([...goalIndex].flatMap((i) => [goal.points[2 * i]! + move(), goal.points[2 * i + 1]! + move()]));
  const count = goalIndex.length;
  const matches = { count, goalIndex, goal: pick(() => 0), current: pick(() => 30 * random()) };
  return { keypoints: goal.count, matches, inliers: new Uint8Array(count).fill(1), weighted: NO_PAIRS, problem: null };
}
