import type { creditsRoute, profileRoute, registerRoute } from '../../contract/account.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import { presentAccount } from './account.presenter.js';
import type { AccountService } from './account.service.js';

export class AccountController {
  constructor(private readonly accounts: AccountService) {}

  readonly register: RouteHandler<typeof registerRoute> = async ({ body }) => ({
    body: { message: 'User registered successfully', user: await this.accounts.register(body.email, body.password) },
  });

  readonly profile: RouteHandler<typeof profileRoute> = async (_input, { principal }) => ({
    body: { user: presentAccount(await this.accounts.profile(principal.userId)) },
  });

  readonly credits: RouteHandler<typeof creditsRoute> = async (_input, { principal }) => ({
    body: { credits: await this.accounts.credits(principal.userId) },
  });
}
