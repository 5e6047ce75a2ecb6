import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Runner } from '../../runners/runner.port.js';
import type { EventRepository } from '../event/event.repository.js';
import type { Start } from './checkpoint.domain.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import type { Claim } from './inference.domain.js';
import { statusEvent } from './inference.events.js';
import type { InferenceRepository } from './inference.repository.js';

interface Repositories {
  checkpoints: CheckpointRepository;
  events: EventRepository;
  jobs: InferenceRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  runner: Runner;
  /** Name of this worker in the attempts it makes. */
  worker: string;
  leaseSeconds: number;
}

/** An attempt in the hands of this worker. */
export interface OpenAttempt {
  claim: Claim;
  start: Start;
  runner: Runner;
}

/** How an attempt begins. */
export class AttemptOpeningService {
  constructor(private readonly deps: Deps) {}

  /**
   * Claims the job, and decides with that whether it goes on where the attempt before stopped.
   * @returns null when the job is not to be had
   */
  open(id: string): Promise<OpenAttempt | null> {
    const { runner, worker, leaseSeconds } = this.deps;
    return this.deps.uow.run(async ({ repositories }) => {
      const claim = await repositories.jobs.claim(id, worker, leaseSeconds);
      if (claim === null) return null;
      const start = await repositories.checkpoints.takeUp(claim, runner.checkpointKey?.(claim.job.parameters) ?? null);
      await repositories.events.append(claim.job.userId, [statusEvent(claim.job)]);
      return { claim, start, runner };
    });
  }
}
