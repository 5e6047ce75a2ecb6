import { describe, expect, it } from 'vitest';
import { GoalKeypoints } from './goal.js';

const keypoints = (...points: number[]) => ({ count: points.length / 2, points: Float32Array.from(points) });

describe('GoalKeypoints', () => {
  it('knows a keypoint again that another turn shows within half a pixel', () => {
    const all = new GoalKeypoints();
    all.beginPart();
    expect([...all.addTurn(keypoints(10, 10, 20, 20))]).toEqual([0, 1]);
    expect([...all.addTurn(keypoints(19.75, 20.25, 40, 5, 9.75, 9.75))]).toEqual([1, 2, 0]);
    expect([...all.toKeypoints().points]).toEqual([10, 10, 20, 20, 40, 5]);
  });

  it('keeps the keypoints of one turn apart, however near they lie', () => {
    const all = new GoalKeypoints();
    all.beginPart();
    expect([...all.addTurn(keypoints(5, 5, 5, 5))]).toEqual([0, 1]);
    expect([...all.addTurn(keypoints(5, 5, 5, 5, 5, 5))]).toEqual([0, 1, 2]);
  });

  it('gives each part indices of its own, after those before', () => {
    const all = new GoalKeypoints();
    all.beginPart();
    all.addTurn(keypoints(5, 5, 8, 8));
    all.beginPart();
    expect([...all.addTurn(keypoints(5, 5))]).toEqual([2]);
    expect(all.count).toBe(3);
  });
});
