import { AppError, invalidField } from '../../platform/app-error.js';
import type { PasswordHasher } from '../../platform/auth/password-hasher.js';
import type { TokenService } from '../../platform/auth/token.service.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { Page, PageRequest } from '../../platform/page.js';
import type { ClientOrigin, Principal } from '../account/account.domain.js';
import type { AccountRepository } from '../account/account.repository.js';
import { requireGoodPassword } from '../account/password.domain.js';
import { wrongCredentials, type CredentialCheckService } from './credential-check.service.js';
import type { LoginAttemptRepository } from './login-attempt.repository.js';
import { parseRefreshToken, type Session, type SessionTimes } from './session.domain.js';
import type { OpenedSession, SessionRepository } from './session.repository.js';

interface Repositories {
  accounts: AccountRepository;
  loginAttempts: LoginAttemptRepository;
  sessions: SessionRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  credentials: CredentialCheckService;
  passwords: PasswordHasher;
  tokens: TokenService;
  tokenSeconds: number;
  times: SessionTimes;
  logger: Logger;
}

export interface Tokens {
  token: string;
  refreshToken: string;
  /** Seconds that the access token is valid for. */
  expiresIn: number;
}

/** Logins: how they begin, go on and end. */
export class SessionService {
  constructor(private readonly deps: Deps) {}

  /** @throws AppError invalid-credentials, too-many-requests */
  async login(email: string, password: string, client: ClientOrigin): Promise<Tokens> {
    const { user, passwordHash } = await this.deps.credentials.check(email, password, client);
    const opened = await this.deps.uow.run(async ({ repositories }) => {
      // Changed or disabled while it was compared: then this login came too late, and its session must not stay behind.
      if (!(await repositories.accounts.holdCredentials(user.id, passwordHash))) throw wrongCredentials();
      return repositories.sessions.open(user.id, client, this.deps.times);
    });
    return this.issue(user, opened);
  }

  /** @throws AppError invalid-token; refresh-token-spent for the loser of two at once */
  async refresh(text: string, client: ClientOrigin): Promise<Tokens> {
    const { repositories, times, uow, logger } = this.deps;
    const token = parseRefreshToken(text);
    if (token === null) throw refused();
    const opened = await repositories.sessions.rotate(token, client, times);
    if (opened !== null) {
      const user = await repositories.sessions.findUser(opened.session.id, opened.session.userId);
      if (user === null) throw refused();
      return this.issue({ id: user.userId, email: user.email, role: user.role }, opened);
    }
    if (await repositories.sessions.wasJustSpent(token)) {
      throw new AppError(
        'refresh-token-spent',
        'This refresh token has just been used; go on with the one that its first use gave.',
      );
    }
    const ended = await uow.run((transaction) => transaction.repositories.sessions.endReused(token));
    if (ended !== null) logger.warn('A spent refresh token came back; its session has ended', ended);
    throw refused();
  }

  async logout({ userId, credential }: Principal, all: boolean): Promise<void> {
    await this.deps.uow.run(async ({ repositories }) => {
      if (all) await repositories.sessions.endAll(userId, null, 'logout');
      else await repositories.sessions.end(userId, credential.id, 'logout');
    });
  }

  /**
   * Ends every session but the caller's own.
   * @throws AppError validation-failed when the current password is wrong or the next one is easily guessed;
   *   too-many-requests
   */
  async changePassword(
    { userId, email, credential }: Principal,
    passwords: { current: string; next: string },
    client: ClientOrigin,
  ): Promise<void> {
    const { credentials, uow } = this.deps;
    requireGoodPassword(passwords.next, email, 'newPassword');
    const { passwordHash } = await credentials.check(email, passwords.current, client).catch((error: unknown) => {
      // Not 401: the caller's token is right, and a client would throw it away.
      const wrong = error instanceof AppError && error.code === 'invalid-credentials';
      throw wrong ? wrongPassword() : error;
    });
    const nextHash = await this.deps.passwords.hash(passwords.next);
    await uow.run(async ({ repositories }) => {
      if (!(await repositories.accounts.replacePassword(userId, passwordHash, nextHash))) throw wrongPassword();
      await repositories.sessions.endAll(userId, credential.id, 'password-changed');
    });
  }

  list(userId: string, page: PageRequest): Promise<Page<Session>> {
    return this.deps.repositories.sessions.list(userId, page);
  }

  /** @throws AppError not-found */
  async end(userId: string, id: string): Promise<void> {
    await this.deps.uow.run(({ repositories }) => repositories.sessions.end(userId, id, 'logout'));
  }

  /** Removes what nobody can need any more, in batches; several may do so at once. */
  async removeDead(): Promise<void> {
    const { sessions, loginAttempts } = this.deps.repositories;
    while (await sessions.removeDead());
    while (await loginAttempts.removeOld());
  }

  private async issue(
    user: Pick<Principal, 'email' | 'role'> & { id: string },
    opened: OpenedSession,
  ): Promise<Tokens> {
    const { session, refreshToken } = opened;
    const secondsLeft = Math.floor((session.expiresAt.getTime() - Date.now()) / 1000);
    const expiresIn = Math.max(1, Math.min(this.deps.tokenSeconds, secondsLeft));
    const claims = { userId: user.id, email: user.email, role: user.role, sessionId: session.id };
    return { token: await this.deps.tokens.issue(claims, expiresIn), refreshToken, expiresIn };
  }
}

const refused = (): AppError => new AppError('invalid-token', 'The refresh token is not valid.');

const wrongPassword = (): AppError => invalidField('currentPassword', 'This is not your current password.');
