import type { RunnerCandidate } from '../../runners/requirements.js';
import type { RunnerDescription } from '../../runners/runner.port.js';
import { chooseRunners, isFree, isWorking, type Obstacle, type RunnerNeed } from './runner-choice.domain.js';
import { isEmbedded, isInService, offerOf, type LoadedRunner } from './runner.domain.js';
import type { RunnerRepository } from './runner.repository.js';

interface Deps {
  repositories: { runners: RunnerRepository };
  /** What the engine of this process says of itself; null where it has none. */
  embedded: RunnerDescription | null;
}

export type AvailableState = 'READY' | 'BUSY' | 'DOWN';

/** What users see of runners; nothing of where they are. */
export class RunnerService {
  constructor(private readonly deps: Deps) {}

  async available(): Promise<{ runner: LoadedRunner; state: AvailableState }[]> {
    const { runners, now } = await this.deps.repositories.runners.census();
    return this.inService(runners).map((runner) => ({ runner, state: stateOf(runner, now) }));
  }

  /** Why a job with this need has to wait; null when there is a place for it, or nobody here can say. */
  async obstacle(need: RunnerNeed): Promise<Obstacle | null> {
    const { runners, now } = await this.deps.repositories.runners.census();
    return chooseRunners(this.inService(runners), need, { now, random: () => 0 }).obstacle;
  }

  /** Runners in service with what they can do, well or not, as a transaction sees them. */
  async inServiceNow(runners: Pick<RunnerRepository, 'census'>): Promise<RunnerCandidate[]> {
    const found = this.inService((await runners.census()).runners);
    return found.map((runner) => ({ kind: runner.kind, name: runner.name, description: offerOf(runner) }));
  }

  /** Places on embedded engines are known to their workers only: taken for free here. */
  private inService(runners: readonly LoadedRunner[]): LoadedRunner[] {
    const { embedded } = this.deps;
    return runners.filter(isInService).flatMap((runner) => {
      if (!isEmbedded(runner)) return [runner];
      return embedded === null ? [] : [{ ...runner, description: embedded, inFlight: 0 }];
    });
  }
}

function stateOf(runner: LoadedRunner, now: Date): AvailableState {
  if (!isWorking(runner, now)) return 'DOWN';
  return isFree(runner, now) ? 'READY' : 'BUSY';
}
