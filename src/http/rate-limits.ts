import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { AppError } from '../platform/app-error.js';

const WINDOW_MS = 15 * 60 * 1000;

interface Limit {
  identifier: string;
  limit: number;
  key(request: Request): string;
  onlyFailures: boolean;
}

function limiter({ identifier, limit, key, onlyFailures }: Limit): RequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit,
    identifier,
    keyGenerator: key,
    skipSuccessfulRequests: onlyFailures,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler: (_request, response, next) => {
      const seconds = Number(response.getHeader('Retry-After') ?? WINDOW_MS / 1000);
      next(new AppError('too-many-requests', `Too many attempts; try again in ${seconds} seconds.`));
    },
  });
}

const address = (request: Request): string => ipKeyGenerator(request.ip ?? '');

/** One account from one address; the account's name is not kept in clear. */
function accountFromAddress(request: Request): string {
  const { email } = (request.body ?? {}) as { email?: unknown };
  const name = typeof email === 'string' ? email.trim().toLowerCase() : '';
  return `${address(request)} ${createHash('sha256').update(name).digest('base64url')}`;
}

/** Failed logins count; a right password costs nothing. The body has been read before. */
export function loginLimits(attempts: number): RequestHandler[] {
  return [
    limiter({ identifier: 'login-address', limit: attempts * 10, key: address, onlyFailures: true }),
    limiter({ identifier: 'login-account', limit: attempts, key: accountFromAddress, onlyFailures: true }),
  ];
}

export function registrationLimits(attempts: number): RequestHandler[] {
  return [limiter({ identifier: 'register', limit: attempts * 20, key: address, onlyFailures: false })];
}
