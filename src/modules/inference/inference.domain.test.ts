import { describe, expect, it } from 'vitest';
import { JOB_STATUSES, type JobStatus } from '../../contract/inference.contract.js';
import type { RunParameters } from '../../runners/runner.port.js';
import { priceOfFrames } from '../credit/credit.domain.js';
import type { Video } from '../video/video.domain.js';
import { backoffMs, canTransition, FINAL_STATUSES, isFinal, pairVideos, processedFrames } from './inference.domain.js';

const video = (id: string): Video => ({
  id,
  datasetId: 'd',
  name: id,
  storageKey: `videos/${id}`,
  sizeBytes: 1,
  sha256: '',
  cost: 1,
  createdAt: new Date(0),
  container: 'mp4',
  codec: 'h264',
  width: 1,
  height: 1,
  frameCount: 1,
  frameRate: null,
  durationSeconds: 1,
});

describe('pairVideos', () => {
  it.each([
    [['a'], ['a-a']],
    [['a', 'b'], ['a-b']],
    [
      ['a', 'b', 'c', 'd'],
      ['a-b', 'b-c', 'c-d'],
    ],
    [[], []],
  ])('pairs %j as %j', (ids, pairs) => {
    expect(pairVideos(ids.map(video)).map(({ goal, current }) => `${goal.id}-${current.id}`)).toEqual(pairs);
  });
});

describe('processedFrames', () => {
  it.each([
    [0, 0, 1, 1],
    [0, 9, 1, 10],
    [0, 9, 2, 5],
    [0, 10, 2, 6],
    [3, 10, 4, 2],
    [5, 5, 100, 1],
    [0, 99, 1000, 1],
  ])('counts frames %i to %i by %i as %i', (startFrame, endFrame, frameStep, count) => {
    expect(processedFrames({ startFrame, endFrame, frameStep } as RunParameters)).toBe(count);
  });
});

describe('priceOfFrames', () => {
  it.each([
    [1500, 150, 10],
    [1, 150, 1],
    [150, 150, 1],
    [151, 150, 2],
    [1_000_000, 0, 0],
  ])('takes for %i frames, %i for a credit, %i credits', (frames, framesPerCredit, price) => {
    expect(priceOfFrames(frames, framesPerCredit)).toBe(price);
  });
});

describe('backoffMs', () => {
  const none = (): number => 0;
  const most = (): number => 1;

  it('doubles from attempt to attempt, up to five minutes', () => {
    expect([2, 3, 4, 5].map((attempt) => backoffMs(attempt, 2, none))).toEqual([2_000, 4_000, 8_000, 16_000]);
    expect(backoffMs(20, 2, none)).toBe(300_000);
    expect(backoffMs(2, 1000, none)).toBe(300_000);
  });

  it('spreads by at most half', () => {
    expect(backoffMs(2, 2, most)).toBe(3_000);
    expect(backoffMs(3, 2, () => 0.5)).toBe(5_000);
  });
});

describe('the transitions of a job', () => {
  const allowed: readonly `${JobStatus} ${JobStatus}`[] = [
    'PENDING RUNNING',
    'PENDING ABORTED',
    'PENDING FAILED',
    'RUNNING PENDING',
    'RUNNING COMPLETED',
    'RUNNING FAILED',
    'RUNNING ABORTED',
  ];

  it('are these and no others', () => {
    const all = JOB_STATUSES.flatMap((from) => JOB_STATUSES.map((to) => ({ from, to })));
    const possible = all.filter(({ from, to }) => canTransition(from, to)).map(({ from, to }) => `${from} ${to}`);
    expect(possible.sort()).toEqual([...allowed].sort());
  });

  it('end in the three final statuses', () => {
    expect(FINAL_STATUSES).toEqual(['COMPLETED', 'FAILED', 'ABORTED']);
    for (const from of FINAL_STATUSES) {
      expect(isFinal(from)).toBe(true);
      for (const to of JOB_STATUSES) expect(canTransition(from, to)).toBe(false);
    }
  });
});
