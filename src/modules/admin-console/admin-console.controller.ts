import type { Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import type { Authenticator } from '../../http/authenticate.js';
import { clientOrigin } from '../../http/client-origin.js';
import { isSameOrigin } from '../../http/same-origin.js';
import { AppError } from '../../platform/app-error.js';
import type { Principal } from '../account/account.domain.js';
import { loginPage, PAGE_POLICY, sessionPage } from './admin-console.page.js';
import { CONSOLE_SECONDS, type AdminConsoleService } from './admin-console.service.js';

interface Deps {
  console: AdminConsoleService;
  authenticator: Authenticator;
  /** Path of the console, without a slash at its end: where its cookie is sent, and nowhere else. */
  basePath: string;
}

const COOKIE = 'infernode_admin';

const credentialsSchema = z.object({
  email: z.string().trim().toLowerCase().min(1).max(254),
  password: z.string().min(1).max(1024),
});

/** Login, logout, and who gets past them. */
export class AdminConsoleController {
  constructor(private readonly deps: Deps) {}

  readonly showLogin: RequestHandler = async (request, response) => {
    const principal = await this.principalOf(request);
    sendPage(response, 200, principal === null ? loginPage() : sessionPage(principal.email));
  };

  readonly login: RequestHandler = async (request, response) => {
    refuseOtherOrigins(request);
    const given = credentialsSchema.safeParse(request.body);
    if (!given.success) {
      sendPage(response, 422, loginPage({ problem: 'Enter an email address and a password.' }));
      return;
    }
    const { email, password } = given.data;
    try {
      const token = await this.deps.console.login(email, password, clientOrigin(request));
      response.cookie(COOKIE, token, { ...this.cookieOptions(request), maxAge: CONSOLE_SECONDS * 1000 });
      response.redirect(303, `${this.deps.basePath}/queues`);
    } catch (error) {
      if (!(error instanceof AppError) || error.status >= 500) throw error;
      response.set(error.headers);
      sendPage(response, error.status, loginPage({ problem: error.message, email }));
    }
  };

  readonly logout: RequestHandler = async (request, response) => {
    refuseOtherOrigins(request);
    const principal = await this.principalOf(request);
    if (principal !== null) await this.deps.console.logout(principal);
    response.clearCookie(COOKIE, this.cookieOptions(request));
    response.redirect(303, `${this.deps.basePath}/login`);
  };

  /** Lets in the bearer of an administrator's token or API key, and the browser of one who has logged in. */
  readonly admit: RequestHandler = async (request, response, next) => {
    const { authenticator, basePath } = this.deps;
    if (request.headers.authorization !== undefined) {
      await authenticator.guard('admin')(request, response, next);
      return;
    }
    const principal = await this.principalOf(request);
    if (principal === null) {
      if (!wantsPage(request)) {
        throw new AppError('authentication-required', 'Send the token of an administrator, or log in with a browser.');
      }
      response.redirect(302, `${basePath}/login`);
      return;
    }
    if (!isSafe(request)) refuseOtherOrigins(request);
    authenticator.remember(request, principal);
    next();
  };

  /** What changes a queue is written down first. */
  readonly recordQueueChange: RequestHandler = async (request, _response, next) => {
    const principal = this.deps.authenticator.principalOf(request);
    if (!isSafe(request) && principal !== null) {
      await this.deps.console.recordQueueChange(principal, request.method, request.path);
    }
    next();
  };

  private async principalOf(request: Request): Promise<Principal | null> {
    const token = cookieOf(request);
    return token === null ? null : this.deps.console.find(token);
  }

  private cookieOptions(request: Request) {
    const { basePath } = this.deps;
    return { path: basePath, httpOnly: true, sameSite: 'strict' as const, secure: request.secure };
  }
}

/** Reading changes nothing, whoever makes a browser do it. */
export const isSafe = ({ method }: Request): boolean => method === 'GET' || method === 'HEAD';

/** SameSite keeps the cookie from other sites, not from other ports and names of this one. */
function refuseOtherOrigins(request: Request): void {
  if (!isSameOrigin(request)) throw new AppError('forbidden', 'Only pages of this server may do this.');
}

/** A person who follows a link, not a script of the page. */
function wantsPage(request: Request): boolean {
  return request.method === 'GET' && (request.get('Accept') ?? '').includes('text/html');
}

function cookieOf(request: Request): string | null {
  const pairs = (request.get('Cookie') ?? '').split(';').map((pair) => pair.trim());
  const pair = pairs.find((text) => text.startsWith(`${COOKIE}=`));
  return pair === undefined ? null : pair.slice(COOKIE.length + 1);
}

function sendPage(response: Response, status: number, html: string): void {
  response.status(status).set('Content-Security-Policy', PAGE_POLICY).type('html').send(html);
}
