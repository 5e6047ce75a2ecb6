import { afterEach, describe, expect, it } from 'vitest';
import { createServoPipeline, type ServoPipeline } from '../../../tests/support/servo-pipeline.js';
import { blankFrame, noiseFrame, texturedFrame, type GrayFrame } from '../../../tests/support/textured-frame.js';
import { RunnerInputError } from '../runner.errors.js';
import { DETECTOR_NAMES, type Detector } from '../detector.js';
import type { StepResult } from './pipeline.js';
import { turnBack, turnImage } from './vision/quarter-turn.js';

const INTRINSICS = { fx: 300, fy: 300, cx: 160, cy: 120 };
const DISTANCE = 0.5;
const ZERO = [0, 0, 0, 0, 0, 0];
const open: ServoPipeline[] = [];

afterEach(() => {
  for (const pipeline of open.splice(0)) pipeline.dispose();
});

describe.each([...DETECTOR_NAMES, 'AKAZE:02+ORB:13'])('servo pipeline with %s', (detector) => {
  it('leads back along a sideways shift', async () => {
    const pipeline = await pipelineWithGoal(detector, texturedFrame(320, 240));
    const result = pipeline.step(texturedFrame(320, 240, -12, 6));
    expect(result.problem).toBeNull();
    expect(result.velocity[0] / DISTANCE).toBeCloseTo(-12 / INTRINSICS.fx, 2);
    expect(result.velocity[1] / DISTANCE).toBeCloseTo(6 / INTRINSICS.fy, 2);
    expect(result.featureErrorPx).toBeCloseTo(Math.hypot(12, 6), 0);
    expect(result.observation.inliers).toHaveLength(result.observation.matches.count);
    expect(result.observation.inliers.filter((inlier) => inlier === 1)).toHaveLength(result.inliers);
  });

  it('gives bit-equal results twice', async () => {
    const run = async (): Promise<StepResult> => {
      const pipeline = await pipelineWithGoal(detector, texturedFrame(320, 240));
      pipeline.step(noiseFrame(200, 200));
      return pipeline.step(texturedFrame(320, 240, 5, 3));
    };
    expect(await run()).toEqual(await run());
  });

  it('accepts a current frame of another size than the goal', async () => {
    const pipeline = await pipelineWithGoal(detector, texturedFrame(320, 240));
    const result = pipeline.step(crop(texturedFrame(320, 240), 301, 223));
    expect(result.problem).toBeNull();
    expect(Math.hypot(...result.velocity)).toBeLessThan(5e-3);
  });

  it('answers a bad frame with a problem and the zero velocity', async () => {
    const pipeline = await pipelineWithGoal(detector, texturedFrame(320, 240));
    const problemOf = (frame: GrayFrame): string | null => {
      const { velocity, problem, featureErrorPx } = pipeline.step(frame);
      expect(velocity).toEqual(ZERO);
      expect(featureErrorPx === null || Number.isFinite(featureErrorPx)).toBe(true);
      return problem;
    };
    expect(problemOf(blankFrame(320, 240, 0))).toBe('blank-frame');
    expect(problemOf(blankFrame(320, 240, 255))).toBe('blank-frame');
    expect(problemOf(twoHalves())).toBe('too-few-keypoints');
    expect(problemOf(noiseFrame(320, 240))).toMatch(/^too-few-|^degenerate/);
    expect(problemOf(texturedFrame(320, 240, 0, 0, 99))).toMatch(/^too-few-|^degenerate/);
    // The pipeline still works afterwards.
    expect(pipeline.step(texturedFrame(320, 240, 4, 0)).problem).toBeNull();
  });

  it('gives no velocity for scenes that have nothing to do with the goal', async () => {
    const pipeline = await pipelineWithGoal(detector, texturedFrame(320, 240));
    for (let seed = 30; seed < 50; seed++) {
      expect(pipeline.step(texturedFrame(320, 240, 0, 0, seed))).toMatchObject({ velocity: ZERO });
    }
  });

  it('refuses a goal frame without texture', async () => {
    for (const frame of [blankFrame(320, 240, 90), twoHalves()]) {
      await expect(createPipeline(detector, frame)).rejects.toThrow(RunnerInputError);
    }
  });

  it.each([
    [16, 16],
    [17, 300],
    [300, 17],
    [40, 33],
    [1000, 16],
  ])('survives a frame of %i x %i', async (width, height) => {
    const pipeline = await pipelineWithGoal(detector, texturedFrame(320, 240));
    for (const frame of [texturedFrame(width, height), noiseFrame(width, height)]) {
      const result = pipeline.step(frame);
      expect(result.velocity.every(Number.isFinite)).toBe(true);
      await createPipeline(detector, frame).catch((error: unknown) => {
        expect(error).toBeInstanceOf(RunnerInputError);
      });
    }
  });
});

describe('quarter turns of the goal', () => {
  const TURNS = [0, 1, 2, 3] as const;

  it.each(DETECTOR_NAMES)('%s finds a turned frame again, as well as the frame itself', async (name) => {
    const goal = texturedFrame(320, 240);
    const pipeline = await pipelineWithGoal(`${name}:0123`, goal);
    const plain = await pipelineWithGoal(name, goal);
    expect(pipeline.step(goal).inliers).toBeGreaterThanOrEqual(plain.step(goal).inliers);
    for (const turn of TURNS) {
      const { observation } = pipeline.step(turnImage(goal, turn));
      // Upside down, the points determine no velocity with image-based servoing; that is the policy's affair.
      expect(observation.problem).toBeNull();
      const { count, goal: from, current } = observation.matches;
      const back = turnBack(Float32Array.from(current), turn, goal);
      const distances = Array.from({ length: count }, (_, i) =>
        Math.hypot(back[2 * i] - from[2 * i], back[2 * i + 1] - from[2 * i + 1]),
      );
      // The turned goal looks exactly like the frame: every keypoint is where it belongs.
      expect(distances.filter((distance) => distance < 0.01).length).toBeGreaterThan(0.98 * count);
    }
  });

  it('lead back from a turn to either side, and say that upside down determines no velocity', async () => {
    const goal = texturedFrame(320, 240);
    const pipeline = await pipelineWithGoal('AKAZE:02+ORB:13', goal);
    // A current frame turned clockwise comes from a camera that was rolled anticlockwise: 2 tan(45 degrees) back.
    for (const [turn, roll] of [
      [1, 2],
      [3, -2],
    ] as const) {
      const { velocity, problem } = pipeline.step(turnImage(goal, turn));
      expect(problem).toBeNull();
      expect(velocity[5]).toBeCloseTo(roll, 1);
    }
    expect(pipeline.step(turnImage(goal, 2))).toMatchObject({ problem: 'degenerate-geometry', velocity: ZERO });
  });

  it('lists a keypoint once, however many turns show it', async () => {
    const goal = texturedFrame(320, 240);
    const plain = await pipelineWithGoal('AKAZE', goal);
    const turned = await pipelineWithGoal('AKAZE:0123', goal);
    expect(turned.goalKeypoints).toBeLessThan(2 * plain.goalKeypoints);
  });

  it('calls keypoints by ascending indices, none twice', async () => {
    const goal = texturedFrame(320, 240);
    const pipeline = await pipelineWithGoal('AKAZE:02+ORB:13', goal);
    const { goalIndex } = pipeline.step(turnImage(goal, 3)).observation.matches;
    expect([...goalIndex]).toEqual([...new Set(goalIndex)].sort((a, b) => a - b));
    expect(goalIndex.at(-1)).toBeLessThan(pipeline.goalKeypoints);
  });
});

describe('combined detectors', () => {
  it('use the keypoints of all parts, in the order written', async () => {
    const goal = texturedFrame(320, 240);
    const [akaze, orb, both] = [
      await pipelineWithGoal('AKAZE', goal),
      await pipelineWithGoal('ORB', goal),
      await pipelineWithGoal('AKAZE+ORB', goal),
    ];
    expect(both.goalKeypoints).toBe(akaze.goalKeypoints + orb.goalKeypoints);
    const frame = texturedFrame(320, 240, 7, -5);
    const alone = [akaze, orb].map((pipeline) => pipeline.step(frame).observation.matches);
    const { matches } = both.step(frame).observation;
    expect(matches.count).toBe(alone[0].count + alone[1].count);
    expect([...matches.goalIndex]).toEqual([
      ...alone[0].goalIndex,
      ...alone[1].goalIndex.map((index) => index + akaze.goalKeypoints),
    ]);
  });
});

async function createPipeline(detector: Detector, goal: GrayFrame): Promise<ServoPipeline> {
  const pipeline = await createServoPipeline({ detector, intrinsics: INTRINSICS, distance: DISTANCE }, goal);
  open.push(pipeline);
  return pipeline;
}

async function pipelineWithGoal(detector: Detector, goal: GrayFrame): Promise<ServoPipeline> {
  const pipeline = await createPipeline(detector, goal);
  expect(pipeline.goalKeypoints).toBeGreaterThan(30);
  return pipeline;
}

/** Two flat halves: not blank, yet no corner anywhere. */
function twoHalves(): GrayFrame {
  const { gray, width, height } = blankFrame(320, 240, 60);
  gray.fill(180, (width * height) / 2);
  return { gray, width, height };
}

function crop({ gray, width: pitch }: GrayFrame, width: number, height: number): GrayFrame {
  const cropped = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) cropped.set(gray.subarray(row * pitch, row * pitch + width), row * width);
  return { gray: cropped, width, height };
}
