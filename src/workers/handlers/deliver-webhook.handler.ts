import type { WebhookDeliveryService } from '../../modules/webhook/webhook-delivery.service.js';
import type { JobHandler } from '../job-catalog.js';

export function deliverWebhookHandler(deliveries: WebhookDeliveryService): JobHandler<'deliver-webhook'> {
  return ({ webhookId }, shutdown) => deliveries.deliver(webhookId, shutdown);
}
