import type { websocketStatsRoute, websocketTestRoute } from '../../contract/events.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import type { EventService } from './event.service.js';

export class EventController {
  constructor(private readonly events: EventService) {}

  readonly websocketStats: RouteHandler<typeof websocketStatsRoute> = async (_input, { principal }) => {
    const { total, own } = await this.events.countConnections(principal.userId);
    return { body: { success: true, data: { totalConnections: total, userConnections: own } } };
  };

  readonly websocketTest: RouteHandler<typeof websocketTestRoute> = async ({ body }, { principal }) => {
    await this.events.sendTest(principal.userId, body.message);
    return { body: { success: true, message: 'Test notification sent' } };
  };
}
