import type { Request } from 'express';

/**
 * Whether a page of ours made this request: what has to be asked of every request that a cookie lets in and that changes
 * something. Current browsers say it themselves, over TLS and on localhost; all say where a POST comes from. A request
 * that says neither is not one of a browser.
 */
export function isSameOrigin(request: Request): boolean {
  const site = request.get('Sec-Fetch-Site');
  if (site !== undefined) return site === 'same-origin';
  const origin = request.get('Origin');
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === request.get('Host');
}
