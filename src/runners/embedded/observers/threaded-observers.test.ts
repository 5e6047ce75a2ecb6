import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { blankFrame, texturedFrame } from '../../../../tests/support/textured-frame.js';
import { RunnerCrashedError, RunnerInputError } from '../../runner.errors.js';
import { Observer } from '../vision/observer.js';
import { mapInOrder } from './map-in-order.js';
import { ObserverWorker } from './observer-worker.js';
import { ThreadedObservers } from './threaded-observers.js';

const INTRINSICS = { fx: 300, fy: 300, cx: 160, cy: 120 };
const GOAL = texturedFrame(320, 240);
const opened: ThreadedObservers[] = [];

afterEach(() => {
  for (const observers of opened.splice(0)) observers.close();
});

function open(threads: number, startWorker?: () => ObserverWorker): ThreadedObservers {
  const observers = new ThreadedObservers(threads, startWorker);
  opened.push(observers);
  return observers;
}

describe('ThreadedObservers', () => {
  it('see what one observer sees, in the order of the frames', async () => {
    const detector = 'ORB:02+AKAZE';
    const frames = Array.from({ length: 12 }, (_, i) =>
      i === 5 ? blankFrame(320, 240, 90) : texturedFrame(320, 240, i, -i),
    );
    const alone = await Observer.create(detector);
    const goal = alone.findGoal(GOAL);
    const expected = frames.map((frame) => alone.observe(goal, frame, INTRINSICS));
    alone.dispose();

    const observers = open(2);
    const found = await observers.findGoal(detector, GOAL);
    expect(found).toEqual(goal);
    const aim = await observers.aim({ detector, intrinsics: INTRINSICS }, found);
    expect(aim.lookAhead).toBe(4);
    async function* source() {
      for (const { gray, width, height } of frames) yield await Promise.resolve({ gray: gray.slice(), width, height });
    }
    const options = { limit: aim.lookAhead, signal: new AbortController().signal };
    const seen = [];
    for await (const { item, result } of mapInOrder(source(), (frame) => aim.observe(frame), options)) {
      seen.push(result.observation);
      // The pixels went to the thread rather than being copied, and came back.
      expect(item.gray).toHaveLength(0);
      expect(Buffer.compare(result.gray, frames[seen.length - 1].gray)).toBe(0);
    }
    aim.release();
    expect(seen).toEqual(expected);
  });

  it('leave a frame alone that shares its memory with something else', async () => {
    const observers = open(1);
    const aim = await observers.aim({ detector: 'ORB', intrinsics: INTRINSICS }, await observers.findGoal('ORB', GOAL));
    const shared = new Uint8Array(GOAL.gray.length + 8);
    shared.set(GOAL.gray, 8);
    const { observation } = await aim.observe({ ...GOAL, gray: shared.subarray(8) });
    expect(observation.problem).toBeNull();
    expect(shared).toHaveLength(GOAL.gray.length + 8);
  });

  it('pass on what is wrong with a frame, and go on', async () => {
    const observers = open(1);
    await expect(observers.findGoal('ORB', blankFrame(320, 240, 0))).rejects.toThrow(RunnerInputError);
    expect((await observers.findGoal('ORB', GOAL)).keypoints.count).toBeGreaterThan(30);
  });

  it('reject what a thread had when it dies, and start another for the next goal', async () => {
    let started = 0;
    const observers = open(1, () =>
      started++ === 0
        ? new ObserverWorker(
            new Worker("require('node:worker_threads').parentPort.once('message', () => process.exit(3));", {
              eval: true,
            }),
          )
        : new ObserverWorker(),
    );
    await expect(observers.findGoal('ORB', GOAL)).rejects.toThrow(RunnerCrashedError);
    expect((await observers.findGoal('ORB', GOAL)).keypoints.count).toBeGreaterThan(30);
    expect(started).toBe(2);
  });

  it('reject what a thread had when its program throws', async () => {
    const observers = open(1, () => new ObserverWorker(new Worker("throw new Error('broken');", { eval: true })));
    await expect(observers.findGoal('ORB', GOAL)).rejects.toThrow(RunnerCrashedError);
  });

  it('are ended in the middle of a frame when the job is over, and only then', async () => {
    const workers: ObserverWorker[] = [];
    const observers = open(1, () => {
      workers.push(new ObserverWorker());
      return workers.at(-1)!;
    });
    const goal = await observers.findGoal('ORB', GOAL);
    const first = await observers.aim({ detector: 'ORB', intrinsics: INTRINSICS }, goal);
    await first.observe({ ...GOAL, gray: GOAL.gray.slice() });
    first.release();
    expect(workers[0].isAlive).toBe(true);
    const second = await observers.aim({ detector: 'ORB', intrinsics: INTRINSICS }, goal);
    const unfinished = second.observe({ ...GOAL, gray: GOAL.gray.slice() });
    second.release();
    await expect(unfinished).rejects.toThrow(RunnerCrashedError);
    const third = await observers.aim({ detector: 'ORB', intrinsics: INTRINSICS }, goal);
    await third.observe({ ...GOAL, gray: GOAL.gray.slice() });
    expect(workers.map(({ isAlive }) => isAlive)).toEqual([false, true]);
  });
});
