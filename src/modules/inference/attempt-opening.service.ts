import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Runner } from '../../runners/runner.port.js';
import type { EventRepository } from '../event/event.repository.js';
import type { ModelRepository } from '../model/model.repository.js';
import type { Place } from '../runner/runner-place.domain.js';
import type { Acceptance, RunnerPoolService } from '../runner/runner-pool.service.js';
import { isEmbedded } from '../runner/runner.domain.js';
import type { RunnerRepository, Transition } from '../runner/runner.repository.js';
import type { Start } from './checkpoint.domain.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import type { Claim } from './inference.domain.js';
import { statusEvent } from './inference.events.js';
import type { InferenceRepository } from './inference.repository.js';
import { needOf } from './job-need.js';

interface Repositories {
  checkpoints: CheckpointRepository;
  events: EventRepository;
  jobs: InferenceRepository;
  runners: RunnerRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Pick<Repositories, 'jobs'> & { models: ModelRepository };
  pool: RunnerPoolService;
  /** Name of this worker in the attempts it makes. */
  worker: string;
  leaseSeconds: number;
}

/** An attempt in the hands of this worker, with a place on a runner. */
export interface OpenAttempt {
  claim: Claim;
  start: Start;
  place: Place;
}

/** How an attempt begins. */
export class AttemptOpeningService {
  constructor(private readonly deps: Deps) {}

  /**
   * Waits for a runner that can take the job, and claims the job and a place there at once.
   * @returns null when the job is not to be had, or no runner for it; then the job stays as it is
   */
  async open(id: string): Promise<OpenAttempt | null> {
    const { pool, repositories } = this.deps;
    const job = await repositories.jobs.findWaiting(id);
    if (job === null) return null;
    return pool.place(id, await needOf(job, repositories), (place) => this.claim(id, place));
  }

  private async claim(id: string, place: Place): Promise<Acceptance<OpenAttempt>> {
    let breaker: Transition = null;
    const answer = await this.deps.uow.run(async (scope): Promise<Acceptance<OpenAttempt>> => {
      breaker = null;
      const { runners } = scope.repositories;
      if (!isEmbedded(place.reference)) {
        const taken = await runners.takePlace(place.reference.id);
        if (taken === null) return 'no-place';
        breaker = taken.breaker;
      }
      const begun = await this.begin(scope.repositories, id, place);
      return begun === null ? 'gone' : { taken: begun };
    });
    this.deps.pool.logBreaker(place.reference.name, breaker);
    return answer;
  }

  /** Claims the job, and decides with that whether it goes on where the attempt before stopped. */
  private async begin(
    { jobs, checkpoints, events }: Repositories,
    id: string,
    place: Place,
  ): Promise<OpenAttempt | null> {
    const { worker, leaseSeconds } = this.deps;
    const claim = await jobs.claim(id, worker, leaseSeconds, place.reference);
    if (claim === null) return null;
    const start = await checkpoints.takeUp(claim, keyOf(place.runner, claim));
    await events.append(claim.job.userId, [statusEvent(claim.job)]);
    return { claim, start, place };
  }
}

const keyOf = (runner: Runner, { job }: Claim): string | null => runner.checkpointKey?.(job.parameters) ?? null;
