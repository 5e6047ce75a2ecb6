import { randomUUID } from 'node:crypto';
import { AppError, notFound } from '../../platform/app-error.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { cutPage, decodeCursor, NUMBER_KEY, type Page, type PageRequest } from '../../platform/page.js';
import { WebhookAttemptDao, type WebhookAttemptRow } from './webhook-attempt.dao.js';
import { WebhookDeliveryDao, type WebhookDeliveryRow } from './webhook-delivery.dao.js';
import { WebhookDao, type WebhookRow } from './webhook.dao.js';
import type {
  AttemptResult,
  Delivery,
  DeliveryAttempt,
  DeliveryStatus,
  DeliveryWithAttempts,
  DisabledReason,
  NewDelivery,
  Webhook,
  WebhookClaim,
} from './webhook.domain.js';

export type NewWebhook = Pick<
  Webhook,
  'id' | 'userId' | 'url' | 'description' | 'eventTypes' | 'sealedSecret' | 'lastSeq'
>;
export type WebhookChanges = Partial<Pick<Webhook, 'url' | 'description' | 'eventTypes'>>;

/** What an attempt needs to know. */
export interface BegunAttempt {
  webhook: Webhook;
  delivery: Delivery;
}

/** Webhooks, their deliveries and attempts. Verbs of workers are guarded by their claim on the webhook. */
export class WebhookRepository {
  private readonly webhooks: WebhookDao;
  private readonly deliveries: WebhookDeliveryDao;
  private readonly attempts: WebhookAttemptDao;

  constructor(scope: DatabaseScope) {
    this.webhooks = new WebhookDao(scope);
    this.deliveries = new WebhookDeliveryDao(scope);
    this.attempts = new WebhookAttemptDao(scope);
  }

  /** @throws AppError too-many-webhooks */
  async create(webhook: NewWebhook, limit: number): Promise<Webhook> {
    if ((await this.webhooks.countOf(webhook.userId)) >= limit) {
      throw new AppError('too-many-webhooks', `An account has at most ${limit} webhooks; delete one first.`);
    }
    const { eventTypes, lastSeq, ...rest } = webhook;
    return toWebhook(
      await this.webhooks.insert({ ...rest, eventTypes: [...eventTypes], lastSeq: String(lastSeq), enabled: true }),
    );
  }

  async list(userId: string, { limit, cursor }: PageRequest): Promise<Page<Webhook>> {
    const behind = cursor === undefined ? '0' : decodeCursor(cursor, [NUMBER_KEY])[0];
    const rows = await this.webhooks.page(userId, behind, limit + 1);
    return cutPage(rows, limit, ({ position }) => [position], toWebhook);
  }

  /** @throws AppError not-found, for those of others too */
  async getOwned(userId: string, id: string): Promise<Webhook> {
    return present(await this.webhooks.findOwned(userId, id));
  }

  /** The same, and nobody else changes it until the transaction ends. */
  async lockOwned(userId: string, id: string): Promise<Webhook> {
    return present(await this.webhooks.lockOwned(userId, id));
  }

  async change({ userId, id }: Webhook, { eventTypes, ...changes }: WebhookChanges): Promise<Webhook> {
    const values = { ...changes, ...(eventTypes === undefined ? {} : { eventTypes: [...eventTypes] }) };
    return present(await this.webhooks.change(userId, id, values));
  }

  /** Begins behind a position of the log; what was before is not caught up with. */
  async enable({ userId, id }: Webhook, lastSeq: number): Promise<Webhook> {
    const values = {
      enabled: true,
      disabledReason: null,
      disabledAt: null,
      failingSince: null,
      lastSeq: String(lastSeq),
    };
    return present(await this.webhooks.change(userId, id, values));
  }

  /** With it goes what was still to be delivered. @returns false when it was off already */
  async disable(id: string, reason: DisabledReason): Promise<boolean> {
    const disabled = await this.webhooks.disable(id, reason);
    if (disabled) await this.deliveries.cancelPending(id);
    return disabled;
  }

  async changeSecret({ userId, id, sealedSecret }: Webhook, sealed: string, overlapEnd: Date): Promise<Webhook> {
    const values = {
      sealedSecret: sealed,
      previousSealedSecret: sealedSecret,
      previousSecretExpiresAt: overlapEnd,
    };
    return present(await this.webhooks.change(userId, id, values));
  }

  /** @throws AppError not-found */
  async delete(userId: string, id: string): Promise<void> {
    if (!(await this.webhooks.remove(userId, id))) throw notFound('webhook');
  }

  async addDelivery(webhookId: string, delivery: NewDelivery): Promise<DeliveryWithAttempts> {
    const row = await this.deliveries.insert({ id: randomUUID(), webhookId, ...delivery, seq: toText(delivery.seq) });
    return { ...toDelivery(row), log: [] };
  }

  /** @throws AppError not-found */
  async getDelivery(webhookId: string, id: string): Promise<Delivery> {
    const row = await this.deliveries.findOf(webhookId, id);
    if (row === null) throw notFound('delivery');
    return toDelivery(row);
  }

  async listDeliveries(
    webhookId: string,
    { limit, cursor, status }: PageRequest & { status?: DeliveryStatus | undefined },
  ): Promise<Page<DeliveryWithAttempts>> {
    const before = cursor === undefined ? null : decodeCursor(cursor, [NUMBER_KEY])[0];
    const rows = await this.deliveries.page(webhookId, { status: status ?? null, before, limit: limit + 1 });
    const log = new Map<string, DeliveryAttempt[]>(rows.map(({ id }) => [id, []]));
    for (const row of await this.attempts.listOf([...log.keys()])) log.get(row.deliveryId)?.push(toAttempt(row));
    return cutPage(
      rows,
      limit,
      ({ position }) => [position],
      (row) => ({ ...toDelivery(row), log: log.get(row.id) ?? [] }),
    );
  }

  /** Takes the webhook for one worker; null when another has it, or nothing may be delivered. */
  async claim(webhookId: string, leaseSeconds: number): Promise<WebhookClaim | null> {
    const token = randomUUID();
    return (await this.webhooks.claim(webhookId, token, leaseSeconds)) ? { webhookId, token } : null;
  }

  /** Renews the claim; null when it is lost, or nothing may be delivered any more. */
  async hold({ webhookId, token }: WebhookClaim, leaseSeconds: number): Promise<Webhook | null> {
    const row = await this.webhooks.hold(webhookId, token, leaseSeconds);
    return row === null ? null : toWebhook(row);
  }

  release({ webhookId, token }: WebhookClaim): Promise<void> {
    return this.webhooks.release(webhookId, token);
  }

  /** In one transaction with the deliveries that the events up to there became. */
  async advance({ webhookId }: WebhookClaim, deliveries: readonly NewDelivery[], seq: number): Promise<void> {
    for (const delivery of deliveries) await this.addDelivery(webhookId, delivery);
    await this.webhooks.advance(webhookId, seq);
  }

  /** Opens the next attempt of the oldest delivery that is due. */
  async beginAttempt(claim: WebhookClaim, leaseSeconds: number): Promise<BegunAttempt | null> {
    const webhook = await this.hold(claim, leaseSeconds);
    if (webhook === null) return null;
    const row = await this.deliveries.nextDue(webhook.id);
    if (row === null) return null;
    const attempts = await this.deliveries.count(row.id, 1);
    await this.attempts.insert({ deliveryId: row.id, number: attempts });
    return { webhook, delivery: { ...toDelivery(row), attempts } };
  }

  /** The webhook, locked, when the claim still holds: what is written next belongs to it. */
  async lockClaimed({ webhookId, token }: WebhookClaim): Promise<Webhook | null> {
    const row = await this.webhooks.lockClaimed(webhookId, token);
    return row === null ? null : toWebhook(row);
  }

  /** As if it had not begun: it was called off by us. */
  async undoAttempt({ id, attempts }: Delivery): Promise<void> {
    await this.attempts.remove(id, attempts);
    await this.deliveries.count(id, -1);
  }

  /** @param retryDelayMs null: there is no further attempt */
  async finishAttempt({ id, attempts }: Delivery, result: AttemptResult, retryDelayMs: number | null): Promise<void> {
    await this.attempts.finish(id, attempts, result);
    if (result.outcome === 'DELIVERED') await this.deliveries.finish(id, 'DELIVERED');
    else if (retryDelayMs === null) await this.deliveries.finish(id, 'FAILED');
    else await this.deliveries.postpone(id, retryDelayMs);
  }

  markTaken(webhookId: string): Promise<void> {
    return this.webhooks.markTaken(webhookId);
  }

  /** @returns whether it has been failing for longer than so many seconds */
  markFailing(webhookId: string, patienceSeconds: number): Promise<boolean> {
    return this.webhooks.markFailing(webhookId, patienceSeconds);
  }

  /** Whether there is something to do for a webhook that nobody has. */
  hasWork(webhookId: string): Promise<boolean> {
    return this.webhooks.hasWork(webhookId);
  }

  /** Of these users the webhooks with events that are not deliveries yet, and how far the log is. */
  withNews(userIds: readonly string[]): Promise<{ id: string; head: number }[]> {
    return this.webhooks.withNews(userIds);
  }

  withWork(limit: number): Promise<string[]> {
    return this.webhooks.withWork(limit);
  }

  /** @returns how many were removed */
  removeFinishedBefore(ageSeconds: number, limit: number): Promise<number> {
    return this.deliveries.removeFinishedBefore(ageSeconds, limit);
  }
}

const toText = (seq: number | null): string | null => (seq === null ? null : String(seq));

function present(row: WebhookRow | null): Webhook {
  if (row === null) throw notFound('webhook');
  return toWebhook(row);
}

function toWebhook(row: WebhookRow): Webhook {
  return {
    id: row.id,
    userId: row.userId,
    url: row.url,
    description: row.description,
    eventTypes: row.eventTypes,
    enabled: row.enabled,
    disabledReason: row.disabledReason,
    disabledAt: row.disabledAt,
    failingSince: row.failingSince,
    sealedSecret: row.sealedSecret,
    previousSealedSecret: row.previousSealedSecret,
    previousSecretExpiresAt: row.previousSecretExpiresAt,
    lastSeq: Number(row.lastSeq),
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

function toDelivery(row: WebhookDeliveryRow): Delivery {
  return {
    id: row.id,
    webhookId: row.webhookId,
    kind: row.kind,
    messageId: row.messageId,
    type: row.type,
    seq: row.seq === null ? null : Number(row.seq),
    body: row.body,
    status: row.status,
    attempts: row.attempts,
    availableAt: row.availableAt,
    createdAt: row.createdAt,
    finishedAt: row.finishedAt,
  };
}

function toAttempt(row: WebhookAttemptRow): DeliveryAttempt {
  return {
    number: row.number,
    outcome: row.outcome,
    responseStatus: row.responseStatus,
    responseBody: row.responseBody,
    error: row.errorCode === null ? null : { code: row.errorCode, message: row.errorMessage ?? '' },
    durationMs: row.durationMs,
    startedAt: row.startedAt,
  };
}
