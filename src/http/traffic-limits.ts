import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { AppError } from '../platform/app-error.js';
import type { Authenticator } from './authenticate.js';

const WINDOW_MS = 60_000;

export interface TrafficLimits {
  /** Counts a request of somebody unknown for the address it comes from. */
  address: RequestHandler;
  /** Counts a request that the guard has let pass for its user, wherever it comes from. */
  user: RequestHandler;
  /** Counts a request that the guard has refused for its address. Stands right behind the guard. */
  refused: ErrorRequestHandler;
}

interface Options {
  /** Requests per minute; 0: any number. */
  perAddress: number;
  perUser: number;
  authenticator: Authenticator;
}

/**
 * Keep a process from being flooded by one caller, and say so in `RateLimit` and `RateLimit-Policy`. Each process counts
 * for itself: a shared count would cost a write for every read, to protect what each process has of its own.
 */
export function trafficLimits({ perAddress, perUser, authenticator }: Options): TrafficLimits {
  const address = limiter('address', perAddress, (request) => ipKeyGenerator(request.ip ?? ''));
  return {
    address,
    user: limiter('user', perUser, (request) => authenticator.principalOf(request)?.userId ?? ''),
    refused: (error: unknown, request, response, next) =>
      address(request, response, (limited?: unknown) => next(limited ?? error)),
  };
}

/**
 * Counts handshakes of WebSockets for the address they come from: who is behind one is known only afterwards, and until
 * then each costs a socket and up to five seconds.
 */
export function handshakeLimit(perAddress: number): RequestHandler {
  return limiter('handshake', perAddress, (request) => ipKeyGenerator(request.ip ?? ''));
}

function limiter(identifier: string, limit: number, keyGenerator: (request: Request) => string): RequestHandler {
  if (limit === 0) return (_request, _response, next) => next();
  return rateLimit({
    windowMs: WINDOW_MS,
    limit,
    identifier,
    keyGenerator,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    // A client that sends X-Forwarded-For by itself is no mistake of ours: the setting says which proxies are believed.
    validate: { xForwardedForHeader: false, forwardedHeader: false },
    handler: (_request, response, next) => {
      const seconds = Number(response.getHeader('Retry-After') ?? WINDOW_MS / 1000);
      next(
        new AppError(
          'too-many-requests',
          `At most ${limit} requests per minute are answered; try again in ${seconds} s.`,
        ),
      );
    },
  });
}
