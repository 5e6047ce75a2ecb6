import { mismatchOf, type RunRequirements } from '../../runners/requirements.js';
import { admits } from './breaker.domain.js';
import { isEmbedded, isInService, offerOf, slotsOf, type LoadedRunner } from './runner.domain.js';

/** What a job needs of its next runner. */
export interface RunnerNeed {
  requirements: RunRequirements;
  /** Ids of runners that failed the job as they are now: taken only if no other can do it. */
  avoided: ReadonlySet<string>;
  /** Ids of runners that refuse it: not taken at all. */
  excluded: ReadonlySet<string>;
}

/**
 * Why a job cannot have a runner now. `no-runner`: none in service can do it. `runners-down`: those that could are not
 * healthy, or have failed too often of late. `runners-busy`: they work on others, or have asked for a pause.
 */
export type Obstacle = 'no-runner' | 'runners-down' | 'runners-busy';

/** Runners to be tried in this order; when there are none, the obstacle says why. */
export interface Choice {
  runners: LoadedRunner[];
  obstacle: Obstacle | null;
}

interface Moment {
  now: Date;
  /** Breaks ties, so that workers which look at the same moment spread. */
  random: () => number;
}

/**
 * The runners that can take a job now: first those without a failure at it, then those whose device is the one that the
 * job wants, then the least loaded share of slots.
 */
export function chooseRunners(runners: readonly LoadedRunner[], need: RunnerNeed, { now, random }: Moment): Choice {
  const able = runners.filter((runner) => canServe(runner, need));
  if (able.length === 0) return { runners: [], obstacle: 'no-runner' };
  const working = able.filter((runner) => isWorking(runner, now));
  if (working.length === 0) return { runners: [], obstacle: 'runners-down' };
  // A place on a runner that failed the job is worth less than a wait for one that may not.
  const unspoilt = working.filter(({ id }) => !need.avoided.has(id));
  const free = (unspoilt.length > 0 ? unspoilt : working).filter((runner) => isFree(runner, now));
  if (free.length === 0) return { runners: [], obstacle: 'runners-busy' };
  const wanted = need.requirements.gpu === 'none' ? 'cpu' : 'gpu';
  const ranked = free.map((runner) => ({
    runner,
    isOtherDevice: runner.description.device === wanted ? 0 : 1,
    load: runner.inFlight / slotsOf(runner),
    tie: random(),
  }));
  ranked.sort((a, b) => a.isOtherDevice - b.isOtherDevice || a.load - b.load || a.tie - b.tie);
  return { runners: ranked.map(({ runner }) => runner), obstacle: null };
}

/** Whether it could take the job if it were free and well. */
export function canServe(runner: LoadedRunner, { requirements, excluded }: RunnerNeed): boolean {
  if (!isInService(runner) || excluded.has(runner.id)) return false;
  return mismatchOf(requirements, { ...runner, description: offerOf(runner) }) === null;
}

/** Whether it is fit for jobs. An embedded engine is started by its next job, so that one is what tells. */
export function isWorking(runner: LoadedRunner, now: Date): boolean {
  if (isEmbedded(runner)) return true;
  const { state } = runner.health;
  return (state === 'READY' || state === 'BUSY') && admits(runner.breaker, 0, now);
}

/** Whether a job may go to it now. */
export function isFree(runner: LoadedRunner, now: Date): boolean {
  if (runner.notBefore !== null && runner.notBefore > now) return false;
  return runner.inFlight < slotsOf(runner) && admits(runner.breaker, runner.inFlight, now);
}
