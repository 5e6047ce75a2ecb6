import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { LoginAttemptModel } from './login-attempt.model.js';

export class LoginAttemptDao extends BaseDao<LoginAttemptModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.loginAttempts);
  }

  /** One more failure, unless the subject is locked. @returns how many there are now; null when it is locked */
  async count(subject: string, windowSeconds: number): Promise<number | null> {
    const [row] = await this.rows<{ failures: number }>(
      `INSERT INTO login_attempts AS kept (subject, failures) VALUES ($1, 1)
       ON CONFLICT (subject) DO UPDATE SET
         failures = CASE WHEN kept.counted_since < now() - make_interval(secs => $2) THEN 1 ELSE kept.failures + 1 END,
         counted_since = CASE WHEN kept.counted_since < now() - make_interval(secs => $2) THEN now()
                              ELSE kept.counted_since END,
         locked_until = NULL
       WHERE kept.locked_until IS NULL OR kept.locked_until <= now()
       RETURNING failures`,
      [subject, windowSeconds],
    );
    return row?.failures ?? null;
  }

  async lock(subject: string, seconds: number): Promise<void> {
    await this.rows('UPDATE login_attempts SET locked_until = now() + make_interval(secs => $2) WHERE subject = $1', [
      subject,
      seconds,
    ]);
  }

  /** Seconds until the last of these locks ends; 0 when none is locked. */
  async secondsLocked(subjects: readonly string[]): Promise<number> {
    const [row] = await this.rows<{ seconds: number }>(
      `SELECT coalesce(ceil(extract(epoch FROM max(locked_until) - now())), 0)::int AS seconds
       FROM login_attempts WHERE subject = ANY ($1) AND locked_until > now()`,
      [subjects],
    );
    return row.seconds;
  }

  async forget(subject: string): Promise<void> {
    await this.model.destroy({ where: { subject }, ...this.inScope });
  }

  /** Takes back one failure, and the lock that it led to. */
  async takeBack(subject: string, limit: number): Promise<void> {
    await this.rows(
      `UPDATE login_attempts SET failures = greatest(failures - 1, 0),
              locked_until = CASE WHEN failures - 1 < $2 THEN NULL ELSE locked_until END
       WHERE subject = $1`,
      [subject, limit],
    );
  }

  /** A batch of those that no longer count. @returns how many there were */
  async deleteOld(seconds: number, limit: number): Promise<number> {
    const deleted = await this.rows(
      `DELETE FROM login_attempts WHERE subject IN (
         SELECT subject FROM login_attempts
         WHERE counted_since < now() - make_interval(secs => $1) AND (locked_until IS NULL OR locked_until < now())
         LIMIT $2 FOR UPDATE SKIP LOCKED
       ) RETURNING 1`,
      [seconds, limit],
    );
    return deleted.length;
  }
}
