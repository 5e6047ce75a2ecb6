import type { DatabaseScope } from '../../platform/database/scope.js';
import { LoginAttemptDao } from './login-attempt.dao.js';
import { LONGEST_WINDOW_SECONDS, lockSeconds, type CountedSubject } from './login-attempt.domain.js';

const BATCH = 500;

/** Wrong passwords, counted where all API processes see them. */
export class LoginAttemptRepository {
  private readonly attempts: LoginAttemptDao;

  constructor(scope: DatabaseScope) {
    this.attempts = new LoginAttemptDao(scope);
  }

  /**
   * Counts an attempt as failed before it is judged, so that of many at once no more are judged than are allowed.
   * Only inside a transaction, which is to be rolled back when this says no: then nothing is counted.
   * @returns false when one of the subjects is locked
   */
  async begin(subjects: readonly CountedSubject[]): Promise<boolean> {
    for (const { subject, rule } of subjects) {
      const failures = await this.attempts.count(subject, rule.windowSeconds);
      if (failures === null) return false;
      const seconds = lockSeconds(failures, rule);
      if (seconds > 0) await this.attempts.lock(subject, seconds);
    }
    return true;
  }

  secondsLocked(subjects: readonly CountedSubject[]): Promise<number> {
    return this.attempts.secondsLocked(subjects.map(({ subject }) => subject));
  }

  /** A right password ends the row of failures for its account; for its network it only takes back its own count. */
  async succeeded(subjects: readonly CountedSubject[]): Promise<void> {
    for (const { kind, subject, rule } of subjects) {
      if (kind === 'network') await this.attempts.takeBack(subject, rule.failures);
      else await this.attempts.forget(subject);
    }
  }

  /** Removes a batch that no longer counts. @returns true when there may be more */
  async removeOld(): Promise<boolean> {
    return (await this.attempts.deleteOld(LONGEST_WINDOW_SECONDS, BATCH)) === BATCH;
  }
}
