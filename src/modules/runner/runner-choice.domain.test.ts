import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DETECTOR_NAMES } from '../../runners/detector.js';
import type { RunnerState } from '../../runners/runner.port.js';
import { CLOSED_BREAKER } from './breaker.domain.js';
import { chooseRunners, type RunnerNeed } from './runner-choice.domain.js';
import { slotsOf, UNTOLD_SLOTS, type LoadedRunner } from './runner.domain.js';

const NOW = new Date('2026-07-15T10:00:00Z');

const NEED: RunnerNeed = {
  requirements: { model: 'cns', kinds: null, runners: null, policy: 'ibvs', detector: 'ORB', gpu: 'none' },
  avoided: new Set(),
  excluded: new Set(),
};

interface Facts extends Partial<Omit<LoadedRunner, 'description' | 'health'>> {
  device?: 'cpu' | 'gpu';
  state?: RunnerState;
}

function runner(id: string, { device = 'cpu', state = 'READY', ...facts }: Facts = {}): LoadedRunner {
  return {
    id,
    name: id,
    kind: 'fastapi',
    url: `http://${id}`,
    sealedToken: null,
    slots: 4,
    models: null,
    origin: 'admin',
    disabledBy: null,
    draining: false,
    revision: 1,
    description: {
      kind: 'fastapi',
      name: id,
      version: '1',
      detectors: DETECTOR_NAMES,
      policies: ['ibvs'],
      models: {},
      device,
      serves: ['cns'],
      slots: 4,
    },
    health: { state, detail: null, checkedAt: NOW, latencyMs: 1 },
    breaker: CLOSED_BREAKER,
    notBefore: null,
    createdAt: NOW,
    updatedAt: NOW,
    inFlight: 0,
    ...facts,
  };
}

const choose = (runners: LoadedRunner[], need: Partial<RunnerNeed> = {}) => {
  const choice = chooseRunners(runners, { ...NEED, ...need }, { now: NOW, random: () => 0 });
  return choice.obstacle ?? choice.runners.map(({ id }) => id);
};

const SOON = new Date(NOW.getTime() + 1_000);
const OPEN = { state: 'OPEN', failures: 5, openings: 1, openedUntil: SOON } as const;

describe('chooseRunners', () => {
  it('takes the least loaded share of slots first', () => {
    const runners = [
      runner('a', { inFlight: 2 }),
      runner('b', { inFlight: 1, slots: 2 }),
      runner('c', { inFlight: 1 }),
    ];
    expect(choose(runners)).toEqual(['c', 'a', 'b']);
  });

  it('takes a GPU first for who wants one, and leaves it to others who do not', () => {
    const runners = [runner('cpu'), runner('gpu', { device: 'gpu', inFlight: 3 })];
    const wants = { requirements: { ...NEED.requirements, gpu: 'preferred' as const } };
    expect(choose(runners, wants)).toEqual(['gpu', 'cpu']);
    expect(choose(runners)).toEqual(['cpu', 'gpu']);
    expect(choose([runners[0]], { requirements: { ...NEED.requirements, gpu: 'required' } })).toBe('no-runner');
  });

  it.each<[string, Facts, string]>([
    ['disabled', { disabledBy: 'admin' }, 'no-runner'],
    ['draining', { draining: true }, 'no-runner'],
    ['used for other models', { models: ['drift'] }, 'no-runner'],
    ['not asked yet', { state: 'STARTING' }, 'runners-down'],
    ['unhealthy', { state: 'UNHEALTHY' }, 'runners-down'],
    ['open', { breaker: OPEN }, 'runners-down'],
    ['paused', { notBefore: SOON }, 'runners-busy'],
    ['full', { inFlight: 4 }, 'runners-busy'],
    [
      'tried by another job',
      { breaker: { ...OPEN, state: 'HALF_OPEN', openedUntil: null }, inFlight: 1 },
      'runners-busy',
    ],
  ])('finds none where the only one is %s', (_, facts, obstacle) => {
    expect(choose([runner('a', facts)])).toBe(obstacle);
  });

  it('takes one whose pause is over, and one that calls itself busy as long as it has places', () => {
    expect(choose([runner('a', { notBefore: NOW, state: 'BUSY', inFlight: 3 })])).toEqual(['a']);
    expect(choose([runner('a', { breaker: { ...OPEN, openedUntil: NOW } })])).toEqual(['a']);
  });

  it('waits for a runner that has not failed the job rather than going back to one that has', () => {
    const avoided = new Set(['a']);
    expect(choose([runner('a'), runner('b', { inFlight: 4 })], { avoided })).toBe('runners-busy');
    expect(choose([runner('a'), runner('b', { state: 'UNHEALTHY' })], { avoided })).toEqual(['a']);
    expect(choose([runner('a'), runner('b')], { avoided })).toEqual(['b']);
  });

  it('never goes back to one that refuses', () => {
    expect(choose([runner('a')], { excluded: new Set(['a']) })).toBe('no-runner');
  });

  it('chooses only what may be used, whatever there is', () => {
    const facts: fc.Arbitrary<Facts> = fc.record({
      inFlight: fc.integer({ min: 0, max: 6 }),
      slots: fc.integer({ min: 1, max: 4 }),
      draining: fc.boolean(),
      state: fc.constantFrom<RunnerState>('READY', 'BUSY', 'STARTING', 'UNHEALTHY'),
      notBefore: fc.constantFrom(null, SOON, NOW),
      breaker: fc.constantFrom(CLOSED_BREAKER, OPEN),
    });
    fc.assert(
      fc.property(fc.array(facts, { maxLength: 8 }), (all) => {
        const runners = all.map((one, index) => runner(`r${index}`, one));
        const { runners: chosen, obstacle } = chooseRunners(runners, NEED, { now: NOW, random: Math.random });
        expect(chosen.length === 0).toBe(obstacle !== null);
        for (const one of chosen) {
          expect(one.inFlight).toBeLessThan(slotsOf(one));
          expect(one.draining).toBe(false);
          expect(['READY', 'BUSY']).toContain(one.health.state);
          expect(one.breaker.state).toBe('CLOSED');
        }
        const loads = chosen.map((one) => one.inFlight / slotsOf(one));
        expect(loads).toEqual([...loads].sort((a, b) => a - b));
      }),
    );
  });
});

describe('slotsOf', () => {
  it('follows the setting, then the word of the runner, and is one when nobody says', () => {
    const { description } = runner('a');
    expect(slotsOf({ slots: 2, description })).toBe(2);
    expect(slotsOf({ slots: null, description })).toBe(4);
    expect(slotsOf({ slots: null, description: { ...description, slots: UNTOLD_SLOTS } })).toBe(1);
    expect(slotsOf({ slots: null, description: { ...description, slots: 100_000 } })).toBe(256);
    expect(slotsOf({ slots: null, description: { ...description, slots: 0 } })).toBe(1);
  });
});
