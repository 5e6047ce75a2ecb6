import type { Request } from 'express';
import { ipKeyGenerator } from 'express-rate-limit';
import type { ClientOrigin } from '../modules/account/account.domain.js';

const MAX_USER_AGENT = 300;

/** Where a request comes from, as far as the proxies that are trusted tell. */
export function clientOrigin(request: Request): ClientOrigin {
  const userAgent = request.get('user-agent')?.slice(0, MAX_USER_AGENT) ?? '';
  return {
    address: request.ip ?? null,
    network: ipKeyGenerator(request.ip ?? ''),
    userAgent: userAgent === '' ? null : userAgent,
  };
}
