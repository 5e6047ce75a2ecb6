import type { Transaction } from '../../platform/database/unit-of-work.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { EventRepository } from '../event/event.repository.js';
import type { Job } from './inference.domain.js';
import { statusEvent } from './inference.events.js';
import type { AttemptEnding, InferenceRepository } from './inference.repository.js';
import { releaseHold } from './inference.settlement.js';

type Scope = Transaction<{ credits: CreditRepository; events: EventRepository; jobs: InferenceRepository }>;

/*
 * The ways in which an attempt ends without a result, each with its event and its money, in the caller's transaction.
 * A job whose owner was promised that it stops has one end only, whatever its attempt came to. Null: the claim is lost.
 */

/** The job waits for its next attempt. */
export async function repeatLater(scope: Scope, ending: AttemptEnding, delayMs: number): Promise<Job | null> {
  const pending = await scope.repositories.jobs.requeueIfClaimed(ending, delayMs);
  if (pending === null) return abortIfCancelled(scope, ending);
  await scope.repositories.events.append(pending.userId, [statusEvent(pending)]);
  const { id, attempt: round, priority } = pending;
  scope.ring({ kind: 'run-inference', id, round, priority, delayMs });
  return pending;
}

/** The job ends for good: FAILED, or ABORTED by a limit. */
export async function endForGood(
  scope: Scope,
  status: 'FAILED' | 'ABORTED',
  ending: AttemptEnding,
): Promise<Job | null> {
  const ended = await scope.repositories.jobs.endIfClaimed(status, ending);
  return ended === null ? abortIfCancelled(scope, ending) : settleEnd(scope, ended);
}

/** The job is aborted, if its owner has asked for that. */
export async function abortIfCancelled(scope: Scope, ending: AttemptEnding): Promise<Job | null> {
  const aborted = await scope.repositories.jobs.abortIfCancelled(ending);
  return aborted === null ? null : settleEnd(scope, aborted);
}

/** What follows every end without a result: nothing is paid, and the owner is told. */
export async function settleEnd({ repositories }: Scope, ended: Job): Promise<Job> {
  await releaseHold(repositories.credits, ended);
  await repositories.events.append(ended.userId, [statusEvent(ended)]);
  return ended;
}
