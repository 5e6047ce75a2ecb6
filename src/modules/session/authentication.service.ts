import { AppError } from '../../platform/app-error.js';
import type { TokenService } from '../../platform/auth/token.service.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { Principal } from '../account/account.domain.js';
import { looksLikeApiKey } from '../api-key/api-key.domain.js';
import type { ApiKeyRepository } from '../api-key/api-key.repository.js';
import type { SessionRepository } from './session.repository.js';

interface Deps {
  repositories: { apiKeys: ApiKeyRepository; sessions: SessionRepository };
  tokens: TokenService;
  logger: Logger;
}

/** Finds out who calls: one signature and one indexed read for a token, one indexed read for an API key. */
export class AuthenticationService {
  constructor(private readonly deps: Deps) {}

  /**
   * @param token an access token or an API key
   * @throws AppError invalid-token, for what does not verify, has ended, or belongs to an account that is gone or disabled
   */
  async authenticate(token: string): Promise<Principal> {
    return looksLikeApiKey(token) ? this.byApiKey(token) : this.bySession(token);
  }

  /** Whether what a connection was let in with still counts. */
  async stillCounts({ userId, credential }: Principal): Promise<boolean> {
    const { apiKeys, sessions } = this.deps.repositories;
    const user =
      credential.kind === 'session'
        ? await sessions.findUser(credential.id, userId)
        : await apiKeys.findUser({ id: credential.id });
    return user !== null;
  }

  private async bySession(token: string): Promise<Principal> {
    const { sessions } = this.deps.repositories;
    const { sessionId, userId, expiresAt } = await this.deps.tokens.verify(token);
    const user = await sessions.findUser(sessionId, userId);
    if (user === null) throw new AppError('invalid-token', 'The session of this token has ended.');
    if (user.stale) await this.note(() => sessions.touch(sessionId));
    return { userId, email: user.email, role: user.role, credential: { kind: 'session', id: sessionId }, expiresAt };
  }

  private async byApiKey(text: string): Promise<Principal> {
    const { apiKeys } = this.deps.repositories;
    const key = await apiKeys.findUser({ text });
    if (key === null) throw new AppError('invalid-token', 'The API key is not valid.');
    if (key.stale) await this.note(() => apiKeys.touch(key.id));
    const { id, userId, email, role, scopes, expiresAt } = key;
    return { userId, email, role, credential: { kind: 'api-key', id, scopes }, expiresAt };
  }

  /** When something was last used is worth no refusal. */
  private async note(touch: () => Promise<void>): Promise<void> {
    try {
      await touch();
    } catch (error) {
      this.deps.logger.warn('A use of a session or key could not be noted', { error });
    }
  }
}
