import { describe, expect, it } from 'vitest';
import { CNS_MODEL } from '../../runners/runner.port.js';
import { parseModelReference, requirementsOf } from './model.domain.js';

describe('parseModelReference', () => {
  it('tells a name from a name with a version', () => {
    expect(parseModelReference('cns')).toEqual({ name: 'cns', version: null });
    expect(parseModelReference('drift@1.0.0-rc.1+5')).toEqual({ name: 'drift', version: '1.0.0-rc.1+5' });
  });
});

describe('requirementsOf', () => {
  const parameters = { policy: 'ibvs', detector: 'ORB', useGpus: true } as const;

  it('is what the model and the job ask for together', () => {
    const model = { name: CNS_MODEL.name, runners: { kinds: ['fastapi'] }, resources: { gpu: 'preferred' } } as const;
    expect(requirementsOf({ parameters }, model)).toEqual({
      model: 'cns',
      kinds: ['fastapi'],
      runners: null,
      policy: 'ibvs',
      detector: 'ORB',
      gpu: 'preferred',
    });
  });

  it.each([
    ['required', true, 'required'],
    ['required', false, 'required'],
    ['preferred', true, 'preferred'],
    ['preferred', false, 'none'],
    ['none', true, 'none'],
  ] as const)('of a model with gpu %s and a job with useGpus %s is %s', (gpu, useGpus, expected) => {
    const model = { name: 'drift', runners: {}, resources: { gpu } };
    expect(requirementsOf({ parameters: { ...parameters, useGpus } }, model).gpu).toBe(expected);
  });
});
