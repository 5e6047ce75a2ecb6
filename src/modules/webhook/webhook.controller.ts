import type {
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
import type { RouteHandler } from '../../http/route-table.js';
import type { DeliveryWithAttempts } from './webhook.domain.js';
import { presentDelivery, presentWebhook } from './webhook.presenter.js';
import type { WebhookService } from './webhook.service.js';

export class WebhookController {
  constructor(private readonly webhooks: WebhookService) {}

  readonly create: RouteHandler<typeof createWebhookRoute> = async ({ body }, { principal }) => {
    const { event_types: eventTypes, ...fields } = body;
    const { webhook, secret } = await this.webhooks.create(principal.userId, { ...fields, eventTypes });
    return {
      body: { message: 'Webhook created; its secret is shown only now', webhook: presentWebhook(webhook), secret },
    };
  };

  readonly list: RouteHandler<typeof listWebhooksRoute> = async ({ query }, { principal }) => {
    const page = await this.webhooks.list(principal.userId, query);
    return { body: { webhooks: page.items.map(presentWebhook), nextCursor: page.nextCursor } };
  };

  readonly get: RouteHandler<typeof getWebhookRoute> = async ({ params }, { principal }) => ({
    body: { webhook: presentWebhook(await this.webhooks.get(principal.userId, params.id)) },
  });

  readonly update: RouteHandler<typeof updateWebhookRoute> = async ({ params, body }, { principal }) => {
    const changes = {
      ...(body.url === undefined ? {} : { url: body.url }),
      ...(body.description === undefined ? {} : { description: body.description }),
      ...(body.event_types === undefined ? {} : { eventTypes: body.event_types }),
      ...(body.enabled === undefined ? {} : { enabled: body.enabled }),
    };
    const webhook = await this.webhooks.update(principal.userId, params.id, changes);
    return { body: { message: 'Webhook updated', webhook: presentWebhook(webhook) } };
  };

  readonly delete: RouteHandler<typeof deleteWebhookRoute> = async ({ params }, { principal }) => {
    await this.webhooks.delete(principal.userId, params.id);
    return { body: { message: 'Webhook deleted' } };
  };

  readonly rotate: RouteHandler<typeof rotateWebhookSecretRoute> = async ({ params }, { principal }) => {
    const { webhook, secret } = await this.webhooks.rotate(principal.userId, params.id);
    return { body: { message: 'The new secret is shown only now', webhook: presentWebhook(webhook), secret } };
  };

  readonly test: RouteHandler<typeof testWebhookRoute> = ({ params }, { principal, once }) =>
    once.run(
      (once) => this.webhooks.test(principal.userId, params.id, once),
      (delivery: DeliveryWithAttempts) => ({
        body: { message: 'The test message is on its way', delivery: presentDelivery(delivery) },
      }),
    );

  readonly deliveries: RouteHandler<typeof listWebhookDeliveriesRoute> = async ({ params, query }, { principal }) => {
    const page = await this.webhooks.deliveries(principal.userId, params.id, query);
    return { body: { deliveries: page.items.map(presentDelivery), nextCursor: page.nextCursor } };
  };

  readonly replay: RouteHandler<typeof replayWebhookDeliveryRoute> = ({ params }, { principal, once }) =>
    once.run(
      (once) => this.webhooks.replay(principal.userId, params, once),
      (delivery: DeliveryWithAttempts) => ({
        body: { message: 'The message is on its way again', delivery: presentDelivery(delivery) },
      }),
    );
}
