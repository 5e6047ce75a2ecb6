import type { Role } from '../../contract/account.contract.js';
import type { Scope } from '../../contract/route.contract.js';
import { AppError } from '../../platform/app-error.js';
import type { PageRequest } from '../../platform/page.js';

export interface User {
  id: string;
  email: string;
  role: Role;
  credit: number;
}

export interface Account extends User {
  createdAt: Date;
  /** Null while the account is active. */
  disabledAt: Date | null;
}

/** What is left out stays as it is. */
export interface AccountChange {
  role?: Role | undefined;
  disabled?: boolean | undefined;
}

export interface AccountFilter extends PageRequest {
  emailPrefix?: string | undefined;
  role?: Role | undefined;
  disabled?: boolean | undefined;
}

/** What a caller has shown: a token of a login session, or an API key. */
export type Credential = { kind: 'session'; id: string } | { kind: 'api-key'; id: string; scopes: readonly Scope[] };

/** Who a request speaks for. */
export interface Principal {
  userId: string;
  email: string;
  /** As the account has it now, whatever the token says. */
  role: Role;
  credential: Credential;
  /** When what was shown ends by itself; null for a key without an end. */
  expiresAt: Date | null;
}

/**
 * A session may do all that its user may, an API key what its scopes name.
 * @throws AppError insufficient-scope
 */
export function requireScope({ credential }: Principal, scope: Scope): void {
  if (credential.kind === 'session' || credential.scopes.includes(scope)) return;
  throw new AppError('insufficient-scope', `This API key lacks the scope "${scope}".`, {
    // RFC 6750 section 3.1.
    headers: { 'WWW-Authenticate': `Bearer realm="infernode", error="insufficient_scope", scope="${scope}"` },
  });
}

/** Where a login or a refresh comes from. */
export interface ClientOrigin {
  address: string | null;
  /** The address, or the network that one customer gets in IPv6: what attempts are counted for. */
  network: string;
  userAgent: string | null;
}
