import type { Request, RequestHandler } from 'express';
import type { Access } from '../contract/route.contract.js';
import { requireScope, type Principal } from '../modules/account/account.domain.js';
import { AppError } from '../platform/app-error.js';
import { extendContext } from '../platform/context.js';

/** RFC 6750 section 2.1. */
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/** Finds out who calls, from the Authorization header alone. */
export class Authenticator {
  private readonly principals = new WeakMap<Request, Principal>();

  constructor(private readonly verify: (token: string) => Promise<Principal>) {}

  guard(access: Exclude<Access, 'none'>): RequestHandler {
    return async (request, _response, next) => {
      const principal = await this.verify(bearerToken(request));
      this.remember(request, principal);
      requireAccess(principal, access, request.method);
      next();
    };
  }

  /** For those who have shown who they are in another way. */
  remember(request: Request, principal: Principal): void {
    this.principals.set(request, principal);
    extendContext({ userId: principal.userId });
  }

  principalOf(request: Request): Principal | null {
    return this.principals.get(request) ?? null;
  }
}

/** @throws AppError session-required, insufficient-scope, forbidden */
function requireAccess(principal: Principal, access: Exclude<Access, 'none'>, method: string): void {
  if (access === 'session' && principal.credential.kind !== 'session') {
    throw new AppError('session-required', 'Log in to do this; an API key cannot.');
  }
  requireScope(principal, method === 'GET' || method === 'HEAD' ? 'read' : 'write');
  if (access !== 'admin') return;
  requireScope(principal, 'admin');
  if (principal.role !== 'admin') throw new AppError('forbidden', 'This is for administrators.');
}

function bearerToken(request: Request): string {
  const headers = request.headersDistinct.authorization ?? [];
  if (headers.length === 0) {
    throw new AppError('authentication-required', 'Send a token or an API key: "Authorization: Bearer …".');
  }
  const token = headers.length === 1 ? BEARER.exec(headers[0])?.[1] : undefined;
  if (token === undefined) {
    throw new AppError('invalid-token', 'Send one Authorization header of the form "Bearer <token>".');
  }
  return token;
}
