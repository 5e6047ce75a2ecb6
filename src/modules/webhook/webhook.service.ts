import { randomBytes, randomUUID } from 'node:crypto';
import type { EventType } from '../../contract/events.contract.js';
import { WEBHOOK_TEST, type WebhookMessage } from '../../contract/webhook.contract.js';
import { AppError, invalidField } from '../../platform/app-error.js';
import type { SecretBox } from '../../platform/auth/secret-box.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Once } from '../../platform/once.js';
import { OutboundError, type OutboundClient } from '../../platform/outbound/outbound-client.js';
import type { Page, PageRequest } from '../../platform/page.js';
import type { Doorbell } from '../../platform/queue/doorbell.port.js';
import type { EventRepository } from '../event/event.repository.js';
import type { DeliveryStatus, DeliveryWithAttempts, NewDelivery, Webhook } from './webhook.domain.js';
import type { WebhookRepository } from './webhook.repository.js';

interface Repositories {
  events: EventRepository;
  webhooks: WebhookRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  secrets: SecretBox;
  outbound: Pick<OutboundClient, 'addressesOf'>;
  allowHttp: boolean;
  perUser: number;
  /** How long the secret before the last rotation still signs. */
  overlapSeconds: number;
}

export interface WebhookFields {
  url: string;
  description: string;
  eventTypes: readonly EventType[];
  enabled: boolean;
}

/** 256 bits, as the specification asks for 192 to 512. */
const SECRET_BYTES = 32;
const SECRET_PREFIX = 'whsec_';
/** A name that is not resolved by then is judged when something is sent. */
const RESOLVE_MS = 3_000;

/** What owners do with their webhooks. */
export class WebhookService {
  constructor(private readonly deps: Deps) {}

  /** @throws AppError validation-failed, too-many-webhooks */
  async create(userId: string, fields: WebhookFields): Promise<{ webhook: Webhook; secret: string }> {
    await this.checkUrl(fields.url);
    const id = randomUUID();
    const { secret, sealed } = this.makeSecret(id);
    const { url, description, eventTypes, enabled } = fields;
    const webhook = await this.deps.uow.run(async ({ repositories }) => {
      const { last } = await repositories.events.bounds(userId);
      const made = await repositories.webhooks.create(
        { id, userId, url, description, eventTypes, sealedSecret: sealed, lastSeq: last },
        this.deps.perUser,
      );
      if (enabled) return made;
      await repositories.webhooks.disable(id, 'owner');
      return repositories.webhooks.getOwned(userId, id);
    });
    return { webhook, secret };
  }

  list(userId: string, page: PageRequest): Promise<Page<Webhook>> {
    return this.deps.repositories.webhooks.list(userId, page);
  }

  /** @throws AppError not-found */
  get(userId: string, id: string): Promise<Webhook> {
    return this.deps.repositories.webhooks.getOwned(userId, id);
  }

  /** @throws AppError not-found, validation-failed */
  async update(userId: string, id: string, { enabled, ...changes }: Partial<WebhookFields>): Promise<Webhook> {
    // Whose it is comes first: nothing is said about addresses to strangers.
    await this.get(userId, id);
    if (changes.url !== undefined) await this.checkUrl(changes.url);
    return this.deps.uow.run(async ({ repositories }) => {
      const { events, webhooks } = repositories;
      const before = await webhooks.lockOwned(userId, id);
      const changed = await webhooks.change(before, changes);
      if (enabled === undefined || enabled === before.enabled) return changed;
      if (enabled) return webhooks.enable(before, (await events.bounds(userId)).last);
      await webhooks.disable(id, 'owner');
      return webhooks.getOwned(userId, id);
    });
  }

  /** @throws AppError not-found */
  delete(userId: string, id: string): Promise<void> {
    return this.deps.repositories.webhooks.delete(userId, id);
  }

  /** @throws AppError not-found */
  async rotate(userId: string, id: string): Promise<{ webhook: Webhook; secret: string }> {
    const { secret, sealed } = this.makeSecret(id);
    const overlapEnd = new Date(Date.now() + this.deps.overlapSeconds * 1000);
    const webhook = await this.deps.uow.run(async ({ repositories: { webhooks } }) =>
      webhooks.changeSecret(await webhooks.lockOwned(userId, id), sealed, overlapEnd),
    );
    return { webhook, secret };
  }

  /** @throws AppError not-found, webhook-disabled */
  test(userId: string, id: string, once: Once<DeliveryWithAttempts>): Promise<DeliveryWithAttempts> {
    const timestamp = new Date().toISOString();
    const data = { webhookId: id, message: 'This is a test of this webhook.' };
    const message: WebhookMessage = { type: WEBHOOK_TEST, timestamp, data };
    return this.send(userId, id, once, () =>
      Promise.resolve({
        kind: 'test',
        messageId: `test_${randomUUID()}`,
        type: WEBHOOK_TEST,
        seq: null,
        body: JSON.stringify(message),
      }),
    );
  }

  /** @throws AppError not-found, webhook-disabled */
  replay(
    userId: string,
    { id, deliveryId }: { id: string; deliveryId: string },
    once: Once<DeliveryWithAttempts>,
  ): Promise<DeliveryWithAttempts> {
    return this.send(userId, id, once, async (webhooks) => {
      const { messageId, type, seq, body } = await webhooks.getDelivery(id, deliveryId);
      return { kind: 'replay', messageId, type, seq, body };
    });
  }

  /** @throws AppError not-found */
  async deliveries(
    userId: string,
    id: string,
    page: PageRequest & { status?: DeliveryStatus | undefined },
  ): Promise<Page<DeliveryWithAttempts>> {
    const { webhooks } = this.deps.repositories;
    await webhooks.getOwned(userId, id);
    return webhooks.listDeliveries(id, page);
  }

  private send(
    userId: string,
    id: string,
    once: Once<DeliveryWithAttempts>,
    make: (webhooks: WebhookRepository) => Promise<NewDelivery>,
  ): Promise<DeliveryWithAttempts> {
    return this.deps.uow.run(
      async ({ repositories: { webhooks }, ring }) => {
        const webhook = await webhooks.lockOwned(userId, id);
        const delivery = await make(webhooks);
        if (!webhook.enabled) throw new AppError('webhook-disabled', 'This webhook is off; switch it on first.');
        const added = await webhooks.addDelivery(id, delivery);
        ring(bellOf(id));
        return added;
      },
      { once },
    );
  }

  private makeSecret(webhookId: string): { secret: string; sealed: string } {
    const secret = `${SECRET_PREFIX}${randomBytes(SECRET_BYTES).toString('base64')}`;
    return { secret, sealed: this.deps.secrets.seal(secret, webhookId) };
  }

  /** Judged again at each connection, when a name may mean something else. */
  private async checkUrl(text: string): Promise<void> {
    const url = new URL(text);
    if (url.protocol !== 'https:' && !this.deps.allowHttp) {
      throw invalidField('url', 'Use https: what is sent is for the receiver only.');
    }
    if (url.username !== '' || url.password !== '') {
      throw invalidField('url', 'Leave out user and password: requests are signed.');
    }
    try {
      await this.deps.outbound.addressesOf(url, AbortSignal.timeout(RESOLVE_MS));
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      if (error.code === 'address-not-allowed') throw invalidField('url', error.message);
      // A name that does not resolve now may do so later.
    }
  }
}

/** The bell of a webhook; the worker finds out by itself what there is to do. */
export function bellOf(webhookId: string): Doorbell {
  return { kind: 'deliver-webhook', id: webhookId, round: 0, priority: 5, delayMs: 0, again: true };
}
