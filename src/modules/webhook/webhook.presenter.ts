import type { z } from 'zod';
import type { getWebhookRoute, testWebhookRoute } from '../../contract/webhook.contract.js';
import type { DeliveryWithAttempts, Webhook } from './webhook.domain.js';

type PresentedWebhook = z.input<(typeof getWebhookRoute)['success']['answer']['schema']>['webhook'];
type PresentedDelivery = z.input<(typeof testWebhookRoute)['success']['answer']['schema']>['delivery'];

export function presentWebhook(webhook: Webhook): PresentedWebhook {
  const previousEnd = webhook.previousSecretExpiresAt;
  return {
    id: webhook.id,
    url: webhook.url,
    description: webhook.description,
    event_types: [...webhook.eventTypes],
    enabled: webhook.enabled,
    disabled_reason: webhook.disabledReason,
    disabled_at: toText(webhook.disabledAt),
    failing_since: toText(webhook.failingSince),
    previous_secret_expires_at: previousEnd !== null && previousEnd > new Date() ? previousEnd.toISOString() : null,
    created_at: webhook.createdAt.toISOString(),
    updated_at: webhook.updatedAt.toISOString(),
  };
}

export function presentDelivery(delivery: DeliveryWithAttempts): PresentedDelivery {
  return {
    id: delivery.id,
    message_id: delivery.messageId,
    kind: delivery.kind,
    type: delivery.type,
    seq: delivery.seq,
    status: delivery.status,
    next_attempt_at: delivery.status === 'PENDING' ? delivery.availableAt.toISOString() : null,
    attempts: delivery.log.map((attempt) => ({
      number: attempt.number,
      outcome: attempt.outcome,
      response_status: attempt.responseStatus,
      response_body: attempt.responseBody,
      error: attempt.error,
      duration_ms: attempt.durationMs,
      started_at: attempt.startedAt.toISOString(),
    })),
    created_at: delivery.createdAt.toISOString(),
    finished_at: toText(delivery.finishedAt),
  };
}

const toText = (time: Date | null): string | null => time?.toISOString() ?? null;
