import { Webhook as Signer } from 'standardwebhooks';
import { SecretBoxError, type SecretBox } from '../../platform/auth/secret-box.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import { OutboundError, type OutboundClient } from '../../platform/outbound/outbound-client.js';
import { EventsGoneError, type LoggedEvent } from '../event/event.domain.js';
import type { EventRepository } from '../event/event.repository.js';
import {
  deliveryOf,
  retryDelayMs,
  wants,
  type AttemptResult,
  type Delivery,
  type RetryRules,
  type Webhook,
  type WebhookClaim,
} from './webhook.domain.js';
import type { BegunAttempt, WebhookRepository } from './webhook.repository.js';
import { bellOf } from './webhook.service.js';

interface Repositories {
  events: EventRepository;
  webhooks: WebhookRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  secrets: SecretBox;
  outbound: Pick<OutboundClient, 'post'>;
  logger: Logger;
  userAgent: string;
  timeoutSeconds: number;
  retry: RetryRules;
  /** A webhook that takes nothing for so long is switched off. */
  patienceSeconds: number;
  /** How long deliveries that are over are kept. */
  retentionSeconds: number;
}

/** Beyond the longest attempt: writing down how it went. */
const LEASE_MARGIN_SECONDS = 15;
const EVENT_BATCH = 100;
/** After so many deliveries the next webhook has its turn. */
const DELIVERIES_PER_TURN = 50;
const RING_BATCH = 500;
const REMOVE_BATCH = 1_000;
/** RFC 9110 section 15.5.11. */
const GONE = 410;

/**
 * Turns events into deliveries and sends them. A worker claims the webhook for as long as it is at it: nothing is sent by
 * two at once, the deliveries of one webhook go one after the other, oldest first, and a slow receiver keeps one worker's
 * slot busy and nobody's job. What a worker that died had under way is sent again.
 */
export class WebhookDeliveryService {
  constructor(private readonly deps: Deps) {}

  /** Does what there is to do for a webhook. @param shutdown fires when work is to be given back */
  async deliver(webhookId: string, shutdown: AbortSignal): Promise<void> {
    const { webhooks } = this.deps.repositories;
    const claim = await webhooks.claim(webhookId, this.leaseSeconds);
    if (claim === null) return;
    try {
      await this.fanOut(claim);
      await this.sendDue(claim, shutdown);
    } finally {
      await webhooks.release(claim);
    }
    // Also for the bell that rang in vain while the claim was held.
    if (await webhooks.hasWork(webhookId)) await this.ring([webhookId]);
  }

  /** Rings for webhooks of these users that have not seen all events. Null: for every webhook with anything to do. */
  async ringFor(userIds: readonly string[] | null): Promise<void> {
    const { webhooks } = this.deps.repositories;
    if (userIds === null) {
      await this.ring(await webhooks.withWork(RING_BATCH));
      return;
    }
    const behind = await webhooks.withNews(userIds);
    if (behind.length === 0) return;
    await this.deps.uow.run(async ({ ring }) => {
      // A bell of its own for each state of the log: one that is being answered may have looked already.
      for (const { id, head } of behind) ring({ ...bellOf(id), round: head, again: false });
      return Promise.resolve();
    });
  }

  async removeOld(): Promise<void> {
    const { webhooks } = this.deps.repositories;
    let removed: number;
    do removed = await webhooks.removeFinishedBefore(this.deps.retentionSeconds, REMOVE_BATCH);
    while (removed === REMOVE_BATCH);
  }

  private get leaseSeconds(): number {
    return this.deps.timeoutSeconds + LEASE_MARGIN_SECONDS;
  }

  private async ring(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.deps.uow.run(async ({ ring }) => {
      for (const id of ids) ring(bellOf(id));
      return Promise.resolve();
    });
  }

  private async fanOut(claim: WebhookClaim): Promise<void> {
    let isBehind = true;
    while (isBehind) {
      isBehind = await this.deps.uow.run(async ({ repositories }) => {
        const webhook = await repositories.webhooks.hold(claim, this.leaseSeconds);
        if (webhook === null) return false;
        const events = await this.read(repositories.events, webhook);
        if (events.length === 0) return false;
        const deliveries = events
          .filter((event) => wants(webhook, event))
          .map((event) => deliveryOf(webhook.userId, event));
        await repositories.webhooks.advance(claim, deliveries, events[events.length - 1].seq);
        return events.length === EVENT_BATCH;
      });
    }
  }

  private async read(events: EventRepository, { id, userId, lastSeq }: Webhook): Promise<LoggedEvent[]> {
    try {
      return await events.readAfter(userId, lastSeq, EVENT_BATCH);
    } catch (error) {
      if (!(error instanceof EventsGoneError)) throw error;
      // Events wait for the webhooks of their owner before they are removed: somebody else has removed them.
      this.deps.logger.error('Events were removed before they were delivered', {
        webhookId: id,
        lastSeq,
        firstSeq: error.firstSeq,
      });
      return events.readAfter(userId, error.firstSeq - 1, EVENT_BATCH);
    }
  }

  private async sendDue(claim: WebhookClaim, shutdown: AbortSignal): Promise<void> {
    for (let sent = 0; sent < DELIVERIES_PER_TURN && !shutdown.aborted; sent++) {
      const begun = await this.deps.uow.run(({ repositories }) =>
        repositories.webhooks.beginAttempt(claim, this.leaseSeconds),
      );
      if (begun === null) return;
      const result = await this.attempt(begun, shutdown);
      const goesOn = await this.record(claim, begun, result);
      if (!goesOn) return;
    }
  }

  /** @returns null when it was called off */
  private async attempt({ webhook, delivery }: BegunAttempt, shutdown: AbortSignal): Promise<AttemptResult | null> {
    const startedAt = performance.now();
    const durationMs = (): number => Math.round(performance.now() - startedAt);
    try {
      const { status, text } = await this.deps.outbound.post(new URL(webhook.url), {
        headers: this.headersFor(webhook, delivery),
        body: delivery.body,
        timeoutMs: this.deps.timeoutSeconds * 1000,
        signal: shutdown,
      });
      const answer = { responseStatus: status, responseBody: text, durationMs: durationMs() };
      if (status >= 200 && status < 300) return { outcome: 'DELIVERED', ...answer, error: null };
      const error = { code: 'refused', message: `The receiver answered with status ${status}.` };
      return { outcome: 'FAILED', ...answer, error };
    } catch (error) {
      if (error instanceof OutboundError && error.code === 'aborted') return null;
      const failure = this.toFailure(error, webhook);
      return { outcome: 'FAILED', responseStatus: null, responseBody: null, error: failure, durationMs: durationMs() };
    }
  }

  private toFailure(error: unknown, { id }: Webhook): { code: string; message: string } {
    if (error instanceof OutboundError) return { code: error.code, message: error.message };
    if (error instanceof SecretBoxError) {
      this.deps.logger.error('The secret of a webhook cannot be read; is the key another one?', {
        webhookId: id,
        error,
      });
      return { code: 'secret-unreadable', message: 'The secret cannot be read any more: rotate it.' };
    }
    throw error;
  }

  /** @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
  private headersFor(webhook: Webhook, { messageId, body }: Delivery): Record<string, string> {
    const now = new Date();
    const signatures = this.liveSecrets(webhook, now).map((secret) => new Signer(secret).sign(messageId, now, body));
    return {
      'Content-Type': 'application/json',
      'User-Agent': this.deps.userAgent,
      'webhook-id': messageId,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': signatures.join(' '),
    };
  }

  private liveSecrets(webhook: Webhook, now: Date): string[] {
    const { id, sealedSecret, previousSealedSecret, previousSecretExpiresAt } = webhook;
    const secrets = [this.deps.secrets.open(sealedSecret, id)];
    if (previousSealedSecret !== null && previousSecretExpiresAt !== null && previousSecretExpiresAt > now) {
      secrets.push(this.deps.secrets.open(previousSealedSecret, id));
    }
    return secrets;
  }

  /** @returns whether the claim still holds and deliveries go on */
  private record(claim: WebhookClaim, { delivery }: BegunAttempt, result: AttemptResult | null): Promise<boolean> {
    return this.deps.uow.run(async ({ repositories }) => {
      const { webhooks } = repositories;
      const webhook = await webhooks.lockClaimed(claim);
      // Somebody else is at it by now, and sends it again: at least once.
      if (webhook === null) return false;
      if (result === null) {
        await webhooks.undoAttempt(delivery);
        return false;
      }
      const isGone = result.responseStatus === GONE;
      const delayMs = isGone ? null : retryDelayMs(delivery, this.deps.retry);
      await webhooks.finishAttempt(delivery, result, delayMs);
      if (delivery.kind === 'test' && !isGone) return true;
      if (result.outcome === 'DELIVERED') {
        await webhooks.markTaken(webhook.id);
        return true;
      }
      const isSpent = await webhooks.markFailing(webhook.id, this.deps.patienceSeconds);
      if (!isGone && !isSpent) return true;
      await this.disable(repositories, webhook, isGone ? 'gone' : 'failing');
      return false;
    });
  }

  private async disable(
    { events, webhooks }: Repositories,
    { id, userId, url }: Webhook,
    reason: 'gone' | 'failing',
  ): Promise<void> {
    if (!(await webhooks.disable(id, reason))) return;
    await events.append(userId, [{ type: 'WEBHOOK_DISABLED', subjectId: id, data: { webhookId: id, url, reason } }]);
    this.deps.logger.info('A webhook was switched off', { webhookId: id, reason });
  }
}
