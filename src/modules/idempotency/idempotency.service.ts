import { AppError } from '../../platform/app-error.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { AnsweredBefore, type Once, type RecordedAnswer } from '../../platform/once.js';
import type { AnsweredRequest, KeyedRequest } from './idempotency.domain.js';
import type { IdempotencyRepository } from './idempotency.repository.js';

interface Repositories {
  idempotency: IdempotencyRepository;
}

interface Deps {
  repositories: Repositories;
  createRepositories(scope: DatabaseScope): Repositories;
  /** How long an answer is kept at least. */
  retentionSeconds: number;
}

const BATCH = 1_000;

/** Answers to requests with an Idempotency-Key: written with their effect, repeated afterwards (ADR 14). */
export class IdempotencyService {
  constructor(private readonly deps: Deps) {}

  /** Tells whether the key has an answer, to whatever was asked with it. */
  async isAnswered(userId: string, key: string): Promise<boolean> {
    return (await this.deps.repositories.idempotency.find(userId, key)) !== null;
  }

  /** @param record what is answered to this result, now and to every repetition */
  once<Result>(request: KeyedRequest, record: (result: Result) => RecordedAnswer): Once<Result> {
    return {
      recall: async () => {
        const { userId, key } = request;
        repeatAnswer(request, await this.deps.repositories.idempotency.find(userId, key));
      },
      within: async (scope, work) => {
        const { idempotency } = this.deps.createRepositories(scope);
        if (!(await idempotency.hold(request))) {
          throw new AppError('idempotency-key-in-use', 'A request with this Idempotency-Key is being worked on.');
        }
        // Under the lock: whoever had the key before has committed what follows sees, or done nothing.
        repeatAnswer(request, await idempotency.find(request.userId, request.key));
        const result = await work();
        await idempotency.record(request, record(result));
        return result;
      },
    };
  }

  /** Takes away answers that nobody is promised any longer. */
  async forgetOld(): Promise<void> {
    let forgotten: number;
    do {
      forgotten = await this.deps.repositories.idempotency.forgetOlderThan(this.deps.retentionSeconds, BATCH);
    } while (forgotten === BATCH);
  }
}

/** @throws AnsweredBefore, AppError idempotency-key-reused */
function repeatAnswer(request: KeyedRequest, before: AnsweredRequest | null): void {
  if (before === null) return;
  if (before.fingerprint !== request.fingerprint) {
    throw new AppError('idempotency-key-reused', 'This Idempotency-Key was used for another request.');
  }
  throw new AnsweredBefore(before.answer);
}
