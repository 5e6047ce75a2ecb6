import { expect, it } from 'vitest';
import { texturedFrame } from '../../../../tests/support/textured-frame.js';
import { Observer } from './observer.js';

it.each(['KAZE', 'BRISK'])('%s finds a Full HD frame again', { timeout: 120_000 }, async (name) => {
  const frame = texturedFrame(1920, 1080);
  const observer = await Observer.create(name);
  const goal = observer.findGoal(frame);
  const { matches, problem } = observer.observe(goal, frame, { fx: 1500, fy: 1500, cx: 960, cy: 540 });
  observer.dispose();
  expect(problem).toBeNull();
  expect(matches.count).toBeGreaterThan(500);
  expect(matches.current).toEqual(matches.goal);
  // Positions are those of the frame, not of the smaller image that was searched.
  expect(Math.max(...goal.keypoints.points)).toBeGreaterThan(1800);
});
