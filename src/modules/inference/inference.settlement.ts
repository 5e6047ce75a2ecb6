import type { CreditRepository } from '../credit/credit.repository.js';
import type { Job } from './inference.domain.js';

/** The hold becomes the price: the entry moves nothing and closes the trail of the job. */
export async function settleCompleted(credits: CreditRepository, job: Job): Promise<void> {
  if (job.cost === 0) return;
  await credits.book({
    userId: job.userId,
    kind: 'inference-capture',
    amount: 0,
    reference: { type: 'job', id: job.id },
    reason: 'Inference completed',
    actorId: null,
  });
}

/** Without a result nothing is paid. */
export async function releaseHold(credits: CreditRepository, job: Job): Promise<void> {
  if (job.cost === 0) return;
  await credits.book({
    userId: job.userId,
    kind: 'inference-release',
    amount: job.cost,
    reference: { type: 'job', id: job.id },
    reason: `Inference ${job.status.toLowerCase()}: ${job.errorCode ?? 'no result'}`,
    actorId: null,
  });
}
