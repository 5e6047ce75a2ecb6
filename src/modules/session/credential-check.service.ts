import { AppError } from '../../platform/app-error.js';
import type { PasswordHasher } from '../../platform/auth/password-hasher.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { ClientOrigin, User } from '../account/account.domain.js';
import type { AccountRepository } from '../account/account.repository.js';
import { countedSubjects, type CountedSubject } from './login-attempt.domain.js';
import type { LoginAttemptRepository } from './login-attempt.repository.js';
import type { SessionRepository } from './session.repository.js';

interface Repositories {
  accounts: AccountRepository;
  loginAttempts: LoginAttemptRepository;
  sessions: SessionRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  passwords: PasswordHasher;
  /** Failures in a row of one account from one network that lock. */
  failureLimit: number;
}

export interface CheckedCredentials {
  user: User;
  /** What the password was compared with: tells later whether it still counts. */
  passwordHash: string;
}

/** Belongs to no account; looking it up costs what looking up one that exists does. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** Compares passwords, and locks whoever guesses. */
export class CredentialCheckService {
  constructor(private readonly deps: Deps) {}

  /**
   * An unknown address, a wrong password and a disabled account cost the same work, are counted alike and get the same
   * answer.
   * @throws AppError invalid-credentials; too-many-requests while locked, whatever the password
   */
  async check(email: string, password: string, client: ClientOrigin): Promise<CheckedCredentials> {
    const { repositories, passwords, failureLimit, uow } = this.deps;
    const found = await repositories.accounts.findCredentials(email);
    const known = await repositories.sessions.knowsNetwork(found?.user.id ?? NOBODY, client.network);
    const subjects = countedSubjects({ email, network: client.network, known }, failureLimit);
    await this.begin(subjects);
    const right = await passwords.verify(password, found?.passwordHash ?? null);
    if (found === null || found.disabled || !right) throw wrongCredentials();
    await uow.run((transaction) => transaction.repositories.loginAttempts.succeeded(subjects));
    return { user: found.user, passwordHash: found.passwordHash };
  }

  private async begin(subjects: readonly CountedSubject[]): Promise<void> {
    const { repositories, uow } = this.deps;
    await uow.run(async (transaction) => {
      if (await transaction.repositories.loginAttempts.begin(subjects)) return;
      const seconds = Math.max(1, await repositories.loginAttempts.secondsLocked(subjects));
      // Without the number, so that the text tells nothing that differs from account to account.
      throw new AppError('too-many-requests', 'Too many failed attempts; wait as long as Retry-After says.', {
        headers: { 'Retry-After': String(seconds) },
      });
    });
  }
}

export const wrongCredentials = (): AppError => new AppError('invalid-credentials', 'Email or password is wrong.');
