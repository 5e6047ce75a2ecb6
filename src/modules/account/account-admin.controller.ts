import type { listUsersRoute, updateUserRoute } from '../../contract/account-admin.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import type { AccountAdminService } from './account-admin.service.js';
import { presentManagedAccount } from './account.presenter.js';

export class AccountAdminController {
  constructor(private readonly accounts: AccountAdminService) {}

  readonly list: RouteHandler<typeof listUsersRoute> = async ({ query }) => {
    const { email, status, ...rest } = query;
    const page = await this.accounts.list({ ...rest, emailPrefix: email, disabled: disabledOf(status) });
    return { body: { users: page.items.map(presentManagedAccount), nextCursor: page.nextCursor } };
  };

  readonly update: RouteHandler<typeof updateUserRoute> = async ({ params, body }, { principal }) => {
    const user = await this.accounts.update(principal.userId, params.id, body);
    return { body: { message: 'User updated', user: presentManagedAccount(user) } };
  };
}

const disabledOf = (status: 'active' | 'disabled' | undefined): boolean | undefined =>
  status === undefined ? undefined : status === 'disabled';
