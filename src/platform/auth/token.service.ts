import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { z } from 'zod';
import { ROLES, type Role } from '../../contract/account.contract.js';
import { AppError } from '../app-error.js';
import type { KeyRing } from './key-ring.js';

const ISSUER = 'infernode';
const ALGORITHM = 'RS256';

export interface TokenClaims {
  userId: string;
  email: string;
  role: Role;
  /** The login session that the token belongs to. */
  sessionId: string;
}

/** What a token is for. One kind is never taken for another. */
export type TokenUse = 'access' | 'admin-console';

const payloadSchema = z.object({
  id: z.uuid(),
  email: z.string(),
  role: z.enum(ROLES),
  token_use: z.string(),
  sub: z.uuid(),
  sid: z.uuid(),
  iat: z.int(),
  exp: z.int(),
});

/** Clocks of several servers may differ by this much. */
const CLOCK_SKEW_SECONDS = 60;

/** Signs and checks tokens of one use (RFC 7519, RS256 only; RFC 8725 sections 3.1–3.10). */
export class TokenService {
  constructor(
    private readonly keys: Pick<KeyRing, 'signing' | 'verifying'>,
    private readonly use: TokenUse = 'access',
  ) {}

  async issue(claims: TokenClaims, lifetimeSeconds: number): Promise<string> {
    const { privateKey, keyId } = await this.keys.signing();
    return jwt.sign(
      { id: claims.userId, email: claims.email, role: claims.role, sid: claims.sessionId, token_use: this.use },
      privateKey,
      {
        algorithm: ALGORITHM,
        keyid: keyId,
        subject: claims.userId,
        issuer: ISSUER,
        audience: ISSUER,
        expiresIn: lifetimeSeconds,
        jwtid: randomUUID(),
      },
    );
  }

  /** @throws AppError invalid-token */
  async verify(token: string): Promise<TokenClaims & { expiresAt: Date }> {
    try {
      const key = await this.keys.verifying(keyIdOf(token));
      if (key === null) throw new Error('unknown key id');
      const { header, payload } = jwt.verify(token, key, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: ISSUER,
        complete: true,
      });
      // RFC 7515 section 4.1.11: extensions that are not understood must not be ignored.
      if (header.typ !== 'JWT' || 'crit' in header) throw new Error('unexpected header');
      const claims = payloadSchema.parse(payload);
      if (claims.token_use !== this.use) throw new Error('a token for something else');
      if (claims.sub !== claims.id) throw new Error('subject and id differ');
      if (claims.iat > Date.now() / 1000 + CLOCK_SKEW_SECONDS) throw new Error('issued in the future');
      return {
        userId: claims.id,
        email: claims.email,
        role: claims.role,
        sessionId: claims.sid,
        expiresAt: new Date(claims.exp * 1000),
      };
    } catch (error) {
      const expired = error instanceof jwt.TokenExpiredError;
      throw new AppError('invalid-token', expired ? 'The token has expired.' : 'The token is not valid.', {
        cause: error,
      });
    }
  }
}

/** As the token claims: it only tells which key to try, and that key decides. */
function keyIdOf(token: string): string {
  const header = jwt.decode(token, { complete: true })?.header;
  if (header?.alg !== ALGORITHM || typeof header.kid !== 'string') throw new Error('unexpected header');
  return header.kid;
}
