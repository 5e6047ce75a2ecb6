import { describe, expect, it } from 'vitest';
import { syntheticTensors } from '../../../tests/support/cns-weights.js';
import { texturedFrame } from '../../../tests/support/textured-frame.js';
import { CnsWeights } from './cns/weights.js';
import { GoalCache } from './observers/goal-cache.js';
import type { Observers } from './observers/observers.js';
import { createServoPipeline, type ServoPipelineOptions, type StepResult } from './pipeline.js';
import { Observer } from './vision/observer.js';

const GOAL = texturedFrame(320, 240);
const CURRENT = texturedFrame(320, 240, -9, 4);
const JOB: ServoPipelineOptions = {
  detector: 'ORB',
  intrinsics: { fx: 300, fy: 300, cx: 160, cy: 120 },
  distance: 0.5,
  policy: 'cns',
};

describe('a later job with the same goal', () => {
  it('neither looks for its keypoints nor clusters them again, and decides the same', async () => {
    const engine = startEngine();
    const first = await engine.run(JOB);
    expect(first.work).toEqual({ searches: 1, hasClustered: true });
    const second = await engine.run(JOB);
    expect(second.work).toEqual({ searches: 0, hasClustered: false });
    expect(second.steps).toEqual(first.steps);
    // The prior scales the translation; the goal stays what it is.
    expect((await engine.run({ ...JOB, distance: 2 })).work).toEqual({ searches: 0, hasClustered: false });
  });

  it('clusters what another camera or another detector makes of it', async () => {
    const engine = startEngine();
    await engine.run(JOB);
    const camera = { ...JOB.intrinsics, fy: 350 };
    expect((await engine.run({ ...JOB, intrinsics: camera })).work).toEqual({ searches: 0, hasClustered: true });
    expect((await engine.run({ ...JOB, detector: 'AKAZE' })).work).toEqual({ searches: 1, hasClustered: true });
    expect((await engine.run(JOB)).work).toEqual({ searches: 0, hasClustered: false });
  });

  it('clusters it where an earlier job was stopped while it did', async () => {
    const engine = startEngine();
    await expect(engine.run(JOB, () => Promise.reject(new Error('stopped')))).rejects.toThrow('stopped');
    expect((await engine.run(JOB)).work).toEqual({ searches: 0, hasClustered: true });
  });
});

/** What an engine keeps from job to job, with its work counted. */
function startEngine() {
  const goals = new GoalCache(2 ** 24);
  const weights = { weights: CnsWeights.of(syntheticTensors()), digest: 'sha256:synthetic' };
  return {
    async run(job: ServoPipelineOptions, onBreath = () => Promise.resolve()) {
      let [searches, breaths] = [0, 0];
      const observers: Observers = {
        findGoal: async (detector, frame) => {
          searches++;
          const observer = await Observer.create(detector);
          try {
            return observer.findGoal(frame);
          } finally {
            observer.dispose();
          }
        },
        aim: async ({ detector, intrinsics }, goal) => {
          const observer = await Observer.create(detector);
          return {
            lookAhead: 1,
            observe: (frame) =>
              Promise.resolve({ observation: observer.observe(goal, frame, intrinsics), gray: frame.gray }),
            release: () => {
              observer.dispose();
            },
          };
        },
      };
      const pipeline = await createServoPipeline(job, GOAL, {
        observers,
        goals,
        loadWeights: () => Promise.resolve(weights),
        // Only clustering takes so long that it breathes.
        breathe: () => {
          breaths++;
          return onBreath();
        },
      });
      const steps: StepResult[] = [];
      try {
        for (const frame of [CURRENT, GOAL]) {
          const { observation } = await pipeline.observe(frame);
          steps.push(pipeline.decide(observation));
        }
      } finally {
        pipeline.dispose();
      }
      return { steps, work: { searches, hasClustered: breaths > 0 } };
    },
  };
}
