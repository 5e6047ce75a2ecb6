import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { AppError } from '../platform/app-error.js';
import type { Permits } from '../platform/permits.js';
import { clientSignal } from './client-signal.js';

const WINDOW_MS = 15 * 60 * 1000;
const MAX_WAITING = 200;

interface Limit {
  identifier: string;
  limit: number;
  key(request: Request): string;
  /** Answers that do not count. */
  spared(status: number): boolean;
}

function limiter({ identifier, limit, key, spared }: Limit): RequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit,
    identifier,
    keyGenerator: key,
    skipSuccessfulRequests: true,
    requestWasSuccessful: (_request, response) => spared(response.statusCode),
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

/**
 * Hashing keeps a core busy: as many at a time as there are cores to spare, the others wait for their turn. That also
 * keeps the counts below right, which hold a request in flight for a failed one.
 */
export function takeTurns(turns: Permits): RequestHandler {
  return async (request, response, next) => {
    if (turns.waitingCount >= MAX_WAITING) {
      throw new AppError('service-unavailable', 'Too many people are logging in right now; please try again.');
    }
    const release = await turns.acquire(clientSignal(request, response));
    response.once('close', release);
    next();
  };
}

/** Wrong passwords count; what else goes wrong, and a right password, cost nothing. The body has been read before. */
export function loginLimits(attempts: number): RequestHandler[] {
  const spared = (status: number): boolean => status !== 401;
  return [
    limiter({ identifier: 'login-address', limit: attempts * 10, key: address, spared }),
    limiter({ identifier: 'login-account', limit: attempts, key: accountFromAddress, spared }),
  ];
}

/** New accounts count, and attempts to find out whether one exists. */
export function registrationLimits(attempts: number): RequestHandler[] {
  const spared = (status: number): boolean => status !== 201 && status !== 409;
  return [limiter({ identifier: 'register', limit: attempts * 100, key: address, spared })];
}
