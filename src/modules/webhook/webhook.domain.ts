import type { EventType } from '../../contract/events.contract.js';
import type {
  DELIVERY_KINDS,
  DELIVERY_OUTCOMES,
  DELIVERY_STATUSES,
  DISABLED_REASONS,
  WebhookMessage,
} from '../../contract/webhook.contract.js';
import type { LoggedEvent } from '../event/event.domain.js';

export type DisabledReason = (typeof DISABLED_REASONS)[number];
export type DeliveryKind = (typeof DELIVERY_KINDS)[number];
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];
export type DeliveryOutcome = (typeof DELIVERY_OUTCOMES)[number];

export interface Webhook {
  id: string;
  userId: string;
  url: string;
  description: string;
  /** Empty: all. */
  eventTypes: readonly EventType[];
  enabled: boolean;
  disabledReason: DisabledReason | null;
  disabledAt: Date | null;
  failingSince: Date | null;
  sealedSecret: string;
  previousSealedSecret: string | null;
  previousSecretExpiresAt: Date | null;
  /** Up to here the owner's events have become deliveries. */
  lastSeq: number;
  createdAt: Date;
  updatedAt: Date;
}

export interface Delivery {
  id: string;
  webhookId: string;
  kind: DeliveryKind;
  messageId: string;
  type: string;
  seq: number | null;
  /** What is signed and sent, to the letter. */
  body: string;
  status: DeliveryStatus;
  attempts: number;
  availableAt: Date;
  createdAt: Date;
  finishedAt: Date | null;
}

export interface DeliveryAttempt {
  number: number;
  outcome: DeliveryOutcome | null;
  responseStatus: number | null;
  responseBody: string | null;
  error: { code: string; message: string } | null;
  durationMs: number | null;
  startedAt: Date;
}

export type DeliveryWithAttempts = Delivery & { log: readonly DeliveryAttempt[] };

/** A worker's hold on a webhook: while it lasts nobody else delivers to it. */
export interface WebhookClaim {
  webhookId: string;
  token: string;
}

/** What came of one attempt. */
export interface AttemptResult {
  outcome: DeliveryOutcome;
  responseStatus: number | null;
  responseBody: string | null;
  error: { code: string; message: string } | null;
  durationMs: number;
}

export type NewDelivery = Pick<Delivery, 'kind' | 'messageId' | 'type' | 'seq' | 'body'>;

export const wants = ({ eventTypes }: Pick<Webhook, 'eventTypes'>, { type }: LoggedEvent): boolean =>
  eventTypes.length === 0 || eventTypes.includes(type);

/** The message of an event. Its id is the same wherever and how often it is sent: receivers drop what they know. */
export function deliveryOf(userId: string, event: LoggedEvent): NewDelivery {
  const { type, seq, data } = event;
  const message = { type, timestamp: event.createdAt.toISOString(), seq, data } as WebhookMessage;
  return { kind: 'event', messageId: `evt_${userId}_${seq}`, type, seq, body: JSON.stringify(message) };
}

export interface RetryRules {
  /** Seconds to wait after the first failure, the second, …; the one after the last is final. */
  delays: readonly number[];
  random(): number;
}

/** Receivers that were away together are not to be visited together. */
const JITTER = 0.2;

/** Milliseconds until the next attempt, or null when that was the last. */
export function retryDelayMs(
  { kind, attempts }: Pick<Delivery, 'kind' | 'attempts'>,
  { delays, random }: RetryRules,
): number | null {
  // Whoever sends a test watches it.
  if (kind === 'test' || attempts > delays.length) return null;
  return Math.round(delays[attempts - 1] * 1000 * (1 + JITTER * random()));
}
