import { readFile } from 'node:fs/promises';

import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { syntheticTensors } from '../../../../tests/support/cns-weights.js';
import type { GoalClusters } from './goal-clusters.js';
import { loadCnsWeights } from './load-weights.js';
import { CnsNetwork, type NetworkOutput } from './network.js';
import { CnsWeights, WIDTH } from './weights.js';

const FIXTURES = new URL('../../../../tests/fixtures/cns/', import.meta.url);
const OUTPUT_LIMIT = 1e-5;
const STATE_LIMIT = 1e-4;

const numbers = z.array(z.number());
const syntheticSchema = z.array(
  z.object({
    goal: numbers,
    clusterOf: numbers,
    centers: numbers,
    steps: z.array(
      z.object({ visible: numbers, current: numbers, direction: numbers, size: z.number(), stateSum: numbers }),
    ),
    state: z.array(numbers),
  }),
);
const publishedSchema = z.array(
  z.object({
    source: z.string(),
    tar: numbers,
    cluster_of: numbers,
    centers: numbers,
    distance_prior: z.number(),
    steps: z.array(
      z.object({
        visible: numbers,
        cur: numbers,
        vec: numbers,
        norm: z.number(),
        cns: numbers,
        hidden: numbers.optional(),
      }),
    ),
  }),
);

describe('CNS network with weights that have learned nothing', () => {
  let scenes: z.infer<typeof syntheticSchema>;
  let network: CnsNetwork;

  beforeAll(async () => {
    scenes = syntheticSchema.parse(await readJson('synthetic-vectors.json'));
    network = await CnsNetwork.create(CnsWeights.of(syntheticTensors()));
  });

  it('says what PyTorch says, and remembers the same, whatever is visible', () => {
    for (const scene of scenes) {
      network.setGoal(Float64Array.from(scene.goal), clustersOf(scene.clusterOf, scene.centers));
      for (const step of scene.steps) {
        const output = see(network, step.visible, step.current);
        expectNear([...output.direction, output.size], [...step.direction, step.size], OUTPUT_LIMIT);
        expectNear(absoluteSums(network.getState()), step.stateSum, WIDTH * OUTPUT_LIMIT);
      }
      expectNear(network.getState(), scene.state.flat(), OUTPUT_LIMIT);
    }
  });

  it('starts over with a new goal', () => {
    const run = (): NetworkOutput[] =>
      scenes.flatMap(({ goal, clusterOf, centers, steps }) => {
        network.setGoal(Float64Array.from(goal), clustersOf(clusterOf, centers));
        return steps.map(({ visible, current }) => see(network, visible, current));
      });
    expect(run()).toEqual(run());
  });

  it('does not care in which order visible points are named', () => {
    const { goal, clusterOf, centers, steps } = scenes[1]!;
    const [{ visible, current }] = steps as [(typeof steps)[number]];
    network.setGoal(Float64Array.from(goal), clustersOf(clusterOf, centers));
    const forwards = see(network, visible, current);
    const state = network.getState();
    network.setGoal(Float64Array.from(goal), clustersOf(clusterOf, centers));
    const pairs = visible.map((_, i) => current.slice(2 * i, 2 * i + 2)).reverse();
    expect(see(network, visible.toReversed(), pairs.flat())).toEqual(forwards);
    expect(network.getState()).toEqual(state);
  });

  it('goes on bit by bit from a state that was set', async () => {
    const { goal, clusterOf, centers, steps } = scenes[1]!;
    const clusters = clustersOf(clusterOf, centers);
    network.setGoal(Float64Array.from(goal), clusters);
    const resumed = await CnsNetwork.create(CnsWeights.of(syntheticTensors()));
    resumed.setGoal(Float64Array.from(goal), clusters);
    steps.forEach(({ visible, current }, i) => {
      if (i === 2) resumed.setState(network.getState());
      const output = see(network, visible, current);
      if (i >= 2) expect(see(resumed, visible, current)).toEqual(output);
    });
    expect(resumed.getState()).toEqual(network.getState());
    expect(() => resumed.setState(new Float64Array(3) as unknown as Float32Array)).toThrow(RangeError);
  });

  it('needs a goal before a frame', async () => {
    const fresh = await CnsNetwork.create(CnsWeights.of(syntheticTensors()));
    expect(() => see(fresh, [0], [0, 0])).toThrow(/no goal/);
  });
});

const published = process.env.CNS_WEIGHTS;
if (published === undefined) {
  process.stderr.write('Without the published weights only synthetic ones are tested. CNS_WEIGHTS names their file.\n');
} else {
  describe('CNS network with the published weights', () => {
    it('agrees with PyTorch on every vector: velocities within 1e-5, recurrent state within 1e-4', async () => {
      const scenes = publishedSchema.parse(await readJson('graph-vectors.json'));
      const { weights } = await loadCnsWeights(published);
      const network = await CnsNetwork.create(weights);
      for (const scene of scenes) {
        network.setGoal(Float64Array.from(scene.tar), clustersOf(scene.cluster_of, scene.centers));
        for (const step of scene.steps) {
          const { direction, size } = see(network, step.visible, step.cur);
          expectNear([...direction, size], [...step.vec, step.norm], OUTPUT_LIMIT);
          const speed = (size > 0 ? 1 + size : Math.exp(size)) / (Math.hypot(...direction) + 1e-7);
          const velocity = [...direction].map((v, axis) => v * speed * (axis < 3 ? scene.distance_prior : 1));
          expectNear(velocity, step.cns, OUTPUT_LIMIT);
          if (step.hidden !== undefined) expectNear(network.getState(), step.hidden, STATE_LIMIT);
        }
      }
    });
  });
}

function see(network: CnsNetwork, visible: readonly number[], current: readonly number[]): NetworkOutput {
  return network.step({ indices: Int32Array.from(visible), positions: Float64Array.from(current) });
}

function clustersOf(clusterOf: readonly number[], centers: readonly number[]): GoalClusters {
  return { count: centers.length, clusterOf: Int32Array.from(clusterOf), centers: Int32Array.from(centers) };
}

function absoluteSums(state: Float32Array): number[] {
  return Array.from({ length: state.length / WIDTH }, (_, c) =>
    state.subarray(c * WIDTH, (c + 1) * WIDTH).reduce((sum, value) => sum + Math.abs(value), 0),
  );
}

function expectNear(actual: ArrayLike<number>, expected: readonly number[], limit: number): void {
  expect(actual).toHaveLength(expected.length);
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!)));
  expect(worst).toBeLessThanOrEqual(limit);
}

async function readJson(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(name, FIXTURES), 'utf8'));
}
