import express, { Router, type Request, type RequestHandler, type Response } from 'express';
import { answerOptions, refuseMethod } from '../../http/mount-routes.js';
import { parseInTime } from '../../http/parse-in-time.js';
import { readJson } from '../../http/read-json.js';
import type { TrafficLimits } from '../../http/traffic-limits.js';
import { AppError, notFound } from '../../platform/app-error.js';
import { isSafe, type AdminConsoleController } from './admin-console.controller.js';

interface Options {
  controller: AdminConsoleController;
  limits: TrafficLimits;
  /** One password after the other: see `takeTurns`. */
  turn: RequestHandler;
  /** Bull Board. */
  board: RequestHandler;
  boardIsReadOnly: boolean;
}

/** A login form has two short fields. */
const parseForm = express.urlencoded({ extended: false, limit: '8kb', parameterLimit: 10 });

const readForm: RequestHandler = (request: Request, response: Response, next) => {
  parseInTime(parseForm, request, response, (error) => {
    if (error === undefined || error instanceof AppError) next(error);
    else next(new AppError('malformed-request', 'The form cannot be read.', { cause: error }));
  });
};

/** Scripts and styles are the board's own; its page has styles in it, and a block of JSON, which is not run. */
const BOARD_POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** The pages for administrators: a login, and Bull Board behind it. What is not theirs is left to the API. */
export function adminConsoleRouter({ controller, limits, turn, board, boardIsReadOnly }: Options): Router {
  const router = Router({ caseSensitive: true });
  router.get('/login', noStore, limits.address, controller.showLogin);
  router.post('/login', noStore, limits.address, wantForm, readForm, turn, controller.login);
  router.post('/logout', noStore, limits.address, controller.logout);
  for (const [path, allowed] of [
    ['/login', ['GET', 'HEAD', 'POST', 'OPTIONS']],
    ['/logout', ['POST', 'OPTIONS']],
  ] as const) {
    router.options(path, answerOptions(allowed));
    router.all(path, limits.address, refuseMethod(allowed));
  }
  router.use('/queues', noStore, controller.admit, limits.refused, limits.user, policy, refuseNul);
  if (boardIsReadOnly) router.use('/queues', refuseChanges);
  router.use('/queues', readChange, controller.recordQueueChange, board);
  return router;
}

const noStore: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'no-store');
  next();
};

const policy: RequestHandler = (_request, response, next) => {
  response.set('Content-Security-Policy', BOARD_POLICY);
  next();
};

/** PostgreSQL knows no text with it, so nothing has such a name. */
const refuseNul: RequestHandler = (request, _response, next) => {
  if (request.url.includes('%00')) throw notFound('queue or job');
  next();
};

/** Here, where what is wrong with a body is told as everywhere; the board finds it read. */
const readChange: RequestHandler = (request, response, next) => {
  if (isSafe(request)) next();
  else readJson(request, response, next);
};

/** Hiding the buttons is the board's part; this one holds. */
const refuseChanges: RequestHandler = (request, _response, next) => {
  if (isSafe(request)) next();
  else throw new AppError('forbidden', 'The queue board is read-only (QUEUE_BOARD_READ_ONLY).');
};

const wantForm: RequestHandler = (request, _response, next) => {
  if (request.is('application/x-www-form-urlencoded') !== false) next();
  else throw new AppError('unsupported-media-type', 'Send the form as application/x-www-form-urlencoded.');
};
