import {
  createWebhookRoute,
  deleteWebhookRoute,
  getWebhookRoute,
  listWebhookDeliveriesRoute,
  listWebhooksRoute,
  replayWebhookDeliveryRoute,
  rotateWebhookSecretRoute,
  testWebhookRoute,
  updateWebhookRoute,
} from '../../contract/webhook.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { WebhookController } from './webhook.controller.js';

export const webhookRoutes = (controller: WebhookController): Route[] => [
  route(createWebhookRoute, controller.create),
  route(listWebhooksRoute, controller.list),
  route(getWebhookRoute, controller.get),
  route(updateWebhookRoute, controller.update),
  route(deleteWebhookRoute, controller.delete),
  route(rotateWebhookSecretRoute, controller.rotate),
  route(testWebhookRoute, controller.test),
  route(listWebhookDeliveriesRoute, controller.deliveries),
  route(replayWebhookDeliveryRoute, controller.replay),
];
