import { AppError } from '../../platform/app-error.js';
import type { TokenService } from '../../platform/auth/token.service.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { ClientOrigin, Principal } from '../account/account.domain.js';
import type { AccountRepository } from '../account/account.repository.js';
import type { AuditRepository } from '../audit/audit.repository.js';
import type { CredentialCheckService } from '../session/credential-check.service.js';
import type { SessionRepository } from '../session/session.repository.js';

interface Repositories {
  accounts: AccountRepository;
  audit: AuditRepository;
  sessions: SessionRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  credentials: CredentialCheckService;
  /** Of a kind of their own: a cookie's token opens no API, and a token of the API is no cookie. */
  tokens: TokenService;
}

/** A browser that is left alone with the console does not stay an administrator for long. */
export const CONSOLE_SECONDS = 3600;

/** Administrators in a browser: a session like any other, but shorter, and held by a cookie. */
export class AdminConsoleService {
  constructor(private readonly deps: Deps) {}

  /**
   * @returns the token for the cookie
   * @throws AppError invalid-credentials, too-many-requests as at every login; forbidden for who is no administrator
   */
  async login(email: string, password: string, client: ClientOrigin): Promise<string> {
    const { credentials, uow, tokens } = this.deps;
    const { user, passwordHash } = await credentials.check(email, password, client);
    if (user.role !== 'admin') throw new AppError('forbidden', 'This account is not one of an administrator.');
    const { session } = await uow.run(async ({ repositories }) => {
      if (!(await repositories.accounts.holdCredentials(user.id, passwordHash))) {
        throw new AppError('invalid-credentials', 'Email or password is wrong.');
      }
      return repositories.sessions.open(user.id, client, {
        idleSeconds: CONSOLE_SECONDS,
        longestSeconds: CONSOLE_SECONDS,
      });
    });
    return tokens.issue(
      { userId: user.id, email: user.email, role: user.role, sessionId: session.id },
      CONSOLE_SECONDS,
    );
  }

  /** Null for a token that does not hold any more, and for who is no administrator any more. */
  async find(token: string): Promise<Principal | null> {
    const claims = await this.claimsOf(token);
    if (claims === null) return null;
    const { userId, sessionId, expiresAt } = claims;
    const user = await this.deps.repositories.sessions.findUser(sessionId, userId);
    if (user?.role !== 'admin') return null;
    return { userId, email: user.email, role: user.role, credential: { kind: 'session', id: sessionId }, expiresAt };
  }

  async logout({ userId, credential }: Principal): Promise<void> {
    await this.deps.uow.run(({ repositories }) => repositories.sessions.end(userId, credential.id, 'logout'));
  }

  /** Before it happens: the queue is not part of a transaction of ours, and what was tried is worth knowing too. */
  async recordQueueChange({ userId }: Principal, method: string, path: string): Promise<void> {
    await this.deps.uow.run(({ repositories }) =>
      repositories.audit.record({
        actorId: userId,
        action: 'queue.change',
        targetType: 'queue',
        targetId: path.slice(0, 200),
        detail: { method },
      }),
    );
  }

  private async claimsOf(token: string) {
    try {
      return await this.deps.tokens.verify(token);
    } catch (error) {
      // Ran out, or never was one of ours: the login page says the rest.
      if (error instanceof AppError && error.code === 'invalid-token') return null;
      throw error;
    }
  }
}
