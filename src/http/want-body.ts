import type { Request, Response } from 'express';

const asked = new WeakSet<Request>();

/**
 * Tells a client that waits for it (`Expect: 100-continue`, RFC 9110 section 10.1.1) to send its body. Called by whoever
 * is about to read one, so that a request which is refused before has cost no more than its headers.
 */
export function wantBody(request: Request, response: Response): void {
  if (request.headers.expect?.toLowerCase() !== '100-continue' || asked.has(request)) return;
  asked.add(request);
  response.writeContinue();
}
