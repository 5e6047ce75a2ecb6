import {
  eventsRoute,
  jobEventsRoute,
  websocketStatsRoute,
  websocketTestRoute,
} from '../../contract/events.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { EventController } from './event.controller.js';

export const eventRoutes = (controller: EventController): Route[] => [
  route(eventsRoute, controller.stream),
  route(jobEventsRoute, controller.streamOfJob),
  route(websocketStatsRoute, controller.websocketStats),
  route(websocketTestRoute, controller.websocketTest),
];
