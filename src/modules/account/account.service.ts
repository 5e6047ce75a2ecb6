import { randomBytes } from 'node:crypto';
import { AppError } from '../../platform/app-error.js';
import type { PasswordHasher } from '../../platform/auth/password-hasher.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { Account, User } from './account.domain.js';
import type { AccountRepository } from './account.repository.js';
import { requireGoodPassword } from './password.domain.js';

interface Repositories {
  accounts: AccountRepository;
  credits: CreditRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  passwords: PasswordHasher;
  signupCredits: number;
}

export class AccountService {
  constructor(private readonly deps: Deps) {}

  /** @throws AppError email-taken; validation-failed for a password that is easily guessed */
  async register(email: string, password: string): Promise<User> {
    requireGoodPassword(password, email, 'password');
    const passwordHash = await this.deps.passwords.hash(password);
    return this.deps.uow.run(async ({ repositories }) => {
      const user = await repositories.accounts.create({ email, passwordHash, role: 'user' });
      if (this.deps.signupCredits === 0) return user;
      const credit = await repositories.credits.book({
        userId: user.id,
        kind: 'signup',
        amount: this.deps.signupCredits,
        reference: null,
        reason: 'Welcome',
        actorId: null,
      });
      return { ...user, credit };
    });
  }

  async profile(userId: string): Promise<Account> {
    const account = await this.deps.repositories.accounts.find(userId);
    if (account === null) throw new AppError('invalid-token', 'The account of this token does not exist.');
    return account;
  }

  async credits(userId: string): Promise<number> {
    return (await this.profile(userId)).credit;
  }

  /** Creates the first administrator when there is none; returns the password if it was made up here. */
  async ensureAdmin(email: string, password: string | undefined): Promise<{ email: string; password: string } | null> {
    if (await this.deps.repositories.accounts.hasAdmin()) return null;
    const secret = password ?? randomBytes(15).toString('base64url');
    const passwordHash = await this.deps.passwords.hash(secret);
    try {
      await this.deps.uow.run(({ repositories }) =>
        repositories.accounts.create({ email, passwordHash, role: 'admin' }),
      );
    } catch (error) {
      // Another process was first.
      if (error instanceof AppError && error.code === 'email-taken') return null;
      throw error;
    }
    return password === undefined ? { email, password: secret } : null;
  }
}
