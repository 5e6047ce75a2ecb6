import type { RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { AppError } from '../platform/app-error.js';
import type { Permits } from '../platform/permits.js';
import { clientSignal } from './client-signal.js';

const WINDOW_MS = 15 * 60 * 1000;
const MAX_WAITING = 200;

/**
 * Hashing keeps a core busy: as many at a time as there are cores to spare, the others wait for their turn. That also
 * keeps counts right that hold a request in flight for a failed one: the limit below, and the lock of a login.
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

/** New accounts count, and attempts to find out whether one exists. */
export function registrationLimit(attempts: number): RequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit: attempts * 200,
    identifier: 'register',
    keyGenerator: (request) => ipKeyGenerator(request.ip ?? ''),
    skipSuccessfulRequests: true,
    requestWasSuccessful: (_request, response) => response.statusCode !== 201 && response.statusCode !== 409,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler: (_request, response, next) => {
      const seconds = Number(response.getHeader('Retry-After') ?? WINDOW_MS / 1000);
      next(new AppError('too-many-requests', `Too many attempts; try again in ${seconds} seconds.`));
    },
  });
}
