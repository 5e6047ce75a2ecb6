import { describe, expect, it } from 'vitest';
import { mismatchOf, type RunnerCandidate, type RunRequirements } from './requirements.js';

const needs: RunRequirements = {
  model: 'cns',
  kinds: null,
  runners: null,
  policy: 'ibvs',
  detector: 'AKAZE:02+ORB',
  gpu: 'none',
};

const runner: RunnerCandidate = {
  kind: 'fastapi',
  name: 'lab',
  description: { serves: ['cns', 'drift'], policies: ['ibvs'], detectors: ['AKAZE', 'ORB'], device: 'cpu' },
};

describe('mismatchOf', () => {
  it('lets a runner that meets every need take the job', () => {
    expect(mismatchOf(needs, runner)).toBeNull();
    expect(mismatchOf({ ...needs, kinds: ['kserve', 'fastapi'], runners: ['lab'] }, runner)).toBeNull();
    expect(mismatchOf({ ...needs, gpu: 'preferred' }, runner)).toBeNull();
    expect(
      mismatchOf({ ...needs, gpu: 'required' }, { ...runner, description: { ...runner.description, device: 'gpu' } }),
    ).toBeNull();
  });

  it.each([
    ['kind', { kinds: ['kserve'] }],
    ['kind', { kinds: [] }],
    ['runner', { runners: ['another lab'] }],
    ['model', { model: 'other' }],
    ['policy', { policy: 'cns' }],
    ['detector', { detector: 'SIFT' }],
    ['detector', { detector: 'AKAZE+SIFT' }],
    ['detector', { detector: 'nonsense' }],
    ['gpu', { gpu: 'required' }],
  ] as const)('names the need that is not met: %s', (mismatch, different) => {
    expect(mismatchOf({ ...needs, ...different }, runner)).toBe(mismatch);
  });
});
