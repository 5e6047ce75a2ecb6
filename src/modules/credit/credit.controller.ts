import type {
  adjustRoute,
  listCreditEntriesRoute,
  rechargeRoute,
  refundRoute,
} from '../../contract/credit.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import { presentCreditEntry } from './credit.presenter.js';
import type { CreditService, Refund } from './credit.service.js';

export class CreditController {
  constructor(private readonly credits: CreditService) {}

  readonly list: RouteHandler<typeof listCreditEntriesRoute> = async ({ query }, { principal }) => {
    const page = await this.credits.list(principal.userId, query);
    return { body: { entries: page.items.map(presentCreditEntry), nextCursor: page.nextCursor } };
  };

  readonly recharge: RouteHandler<typeof rechargeRoute> = ({ body }, { principal, once }) =>
    once.run(
      (once) => this.credits.recharge(principal.userId, body, once),
      (newBalance: number) => ({ body: { message: "User's credits updated", newBalance } }),
    );

  readonly adjust: RouteHandler<typeof adjustRoute> = ({ body }, { principal, once }) =>
    once.run(
      (once) => this.credits.adjust(principal.userId, body, once),
      (newBalance: number) => ({ body: { message: "User's credits adjusted", newBalance } }),
    );

  readonly refund: RouteHandler<typeof refundRoute> = ({ body }, { principal, once }) =>
    once.run(
      (once) => this.credits.refund(principal.userId, body, once),
      (refund: Refund) => ({ body: { message: 'Credits refunded', ...refund } }),
    );
}
