import type { Request, Response } from 'express';

const signals = new WeakMap<Request, AbortSignal>();

/** Thrown into work whose client has gone. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}

/** Fires when the connection ends before the answer has been sent. One signal per request. */
export function clientSignal(request: Request, response: Response): AbortSignal {
  const known = signals.get(request);
  if (known !== undefined) return known;
  const controller = new AbortController();
  if (response.destroyed && !response.writableFinished) controller.abort(new ClientGoneError('The client has gone.'));
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new ClientGoneError('The client has gone.'));
  });
  signals.set(request, controller.signal);
  return controller.signal;
}
