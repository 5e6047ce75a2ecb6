import type { getUsageRoute, listUsageRoute } from '../../contract/usage.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import { presentFigures } from './usage.presenter.js';
import type { UsageService } from './usage.service.js';

const TIME_ZONE = { time_zone: 'UTC' } as const;

export class UsageController {
  constructor(private readonly usage: UsageService) {}

  readonly own: RouteHandler<typeof getUsageRoute> = async ({ query }, { principal }) => {
    const { range, total, page } = await this.usage.ofUser(principal.userId, query);
    const days = page.items.map((item) => ({ day: item.day, ...presentFigures(item) }));
    return { body: { ...range, ...TIME_ZONE, total: presentFigures(total), days, nextCursor: page.nextCursor } };
  };

  readonly list: RouteHandler<typeof listUsageRoute> = async ({ query }) => {
    const { range, page } = await this.usage.ofAll(query);
    const users = page.items.map((item) => ({ user_id: item.userId, email: item.email, ...presentFigures(item) }));
    return { body: { ...range, ...TIME_ZONE, users, nextCursor: page.nextCursor } };
  };
}
