import { describe, expect, it } from 'vitest';

import type { RunParameters, RunResult } from '../runner.port.js';
import { resultJson, velocityCsv } from './result-texts.js';

const parameters: RunParameters = {
  startFrame: 0,
  endFrame: 2500,
  frameStep: 1,
  goalFrameId: 6,
  detector: 'ORB',
  policy: 'ibvs',
  useGpus: false,
  intrinsics: { fx: 540, fy: 540, cx: 320, cy: 240 },
  distance: 0.6,
  visualize: 'none',
};

function resultWith(rows: number): RunResult {
  return {
    velocity: Array.from({ length: rows }, (_, k) => [k / 3, 0, -0.5, 1e-9, 0, 0]),
    frames: Array.from({ length: rows }, (_, frame) => ({
      frame,
      keypoints: 500,
      matches: 300,
      inliers: 250,
      featureErrorPx: 1.5,
      problem: frame === 1 ? 'blank-frame' : null,
    })),
    goal: { frame: 6, keypoints: 500 },
    device: 'cpu',
    model: null,
    usage: { wallSeconds: 1, cpuSeconds: 2, gpuSeconds: 0, energy: null, reportedCarbonGrams: null },
    message: 'done',
    warnings: [],
  };
}

describe('velocityCsv', () => {
  it('writes full precision and names the problem', () => {
    const lines = [...velocityCsv(resultWith(3))].join('').split('\n');
    expect(lines).toEqual([
      'frame,vx,vy,vz,wx,wy,wz,inliers,problem',
      '0,0,0,-0.5,1e-9,0,0,250,',
      '1,0.3333333333333333,0,-0.5,1e-9,0,0,250,blank-frame',
      '2,0.6666666666666666,0,-0.5,1e-9,0,0,250,',
      '',
    ]);
  });
});

describe('resultJson', () => {
  it.each([0, 1, 2501])('is the whole result of %i frames, with the parameters', (rows) => {
    const result = resultWith(rows);
    const text = [...resultJson(parameters, result)].join('');
    const errors =
      rows > 1 ? [{ frame: 1, code: 'blank-frame', message: 'The frame shows nothing but one shade.' }] : [];
    expect(JSON.parse(text)).toEqual({ parameters, ...result, frame_errors: errors });
  });
});
