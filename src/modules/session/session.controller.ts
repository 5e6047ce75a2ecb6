import type { loginRoute } from '../../contract/account.contract.js';
import type {
  changePasswordRoute,
  endSessionRoute,
  listSessionsRoute,
  logoutRoute,
  refreshRoute,
} from '../../contract/session.contract.js';
import { clientOrigin } from '../../http/client-origin.js';
import type { RouteHandler } from '../../http/route-table.js';
import { presentSession } from './session.presenter.js';
import type { SessionService } from './session.service.js';

export class SessionController {
  constructor(private readonly sessions: SessionService) {}

  readonly login: RouteHandler<typeof loginRoute> = async ({ body }, { request }) => {
    const tokens = await this.sessions.login(body.email, body.password, clientOrigin(request));
    return { body: { message: 'Login successful', ...tokens } };
  };

  readonly refresh: RouteHandler<typeof refreshRoute> = async ({ body }, { request }) => ({
    body: await this.sessions.refresh(body.refreshToken, clientOrigin(request)),
  });

  readonly logout: RouteHandler<typeof logoutRoute> = async ({ body }, { principal }) => {
    await this.sessions.logout(principal, body.all);
    return { body: { message: 'Logged out' } };
  };

  readonly changePassword: RouteHandler<typeof changePasswordRoute> = async ({ body }, { principal, request }) => {
    const passwords = { current: body.currentPassword, next: body.newPassword };
    await this.sessions.changePassword(principal, passwords, clientOrigin(request));
    return { body: { message: 'Password changed' } };
  };

  readonly list: RouteHandler<typeof listSessionsRoute> = async ({ query }, { principal }) => {
    const page = await this.sessions.list(principal.userId, query);
    const sessions = page.items.map((session) => presentSession(session, principal.credential.id));
    return { body: { sessions, nextCursor: page.nextCursor } };
  };

  readonly end: RouteHandler<typeof endSessionRoute> = async ({ params }, { principal }) => {
    await this.sessions.end(principal.userId, params.id);
    return { body: { message: 'Session ended' } };
  };
}
