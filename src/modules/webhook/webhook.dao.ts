import { literal, type Attributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { DisabledReason } from './webhook.domain.js';
import type { WebhookModel } from './webhook.model.js';

export type WebhookRow = Attributes<WebhookModel>;

/** Webhooks that nobody delivers to now, of accounts that may be delivered to. */
const FREE = `webhooks.enabled AND (lease_expires_at IS NULL OR lease_expires_at < now())
  AND EXISTS (SELECT 1 FROM users WHERE users.id = webhooks.user_id AND users.disabled_at IS NULL)`;

const HAS_NEWS = 'last_seq < (SELECT event_seq FROM users WHERE users.id = webhooks.user_id)';
const HAS_DUE = `EXISTS (SELECT 1 FROM webhook_deliveries AS delivery
  WHERE delivery.webhook_id = webhooks.id AND delivery.status = 'PENDING' AND delivery.available_at <= now())`;

export class WebhookDao extends BaseDao<WebhookModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.webhooks);
  }

  findOwned(userId: string, id: string) {
    return this.findOne({ userId, id });
  }

  async page(userId: string, behind: string, limit: number): Promise<WebhookRow[]> {
    const rows = await this.model.findAll({
      where: { userId, position: literal(`position > ${BigInt(behind)}`) as unknown as string },
      order: [['position', 'ASC']],
      limit,
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }

  /** Locks the owner's row first: two creations at once are counted one after the other. */
  async countOf(userId: string): Promise<number> {
    await this.rows('SELECT 1 FROM users WHERE id = $1 FOR UPDATE', [userId]);
    return this.model.count({ where: { userId }, ...this.inScope });
  }

  async change(userId: string, id: string, values: Partial<WebhookRow>): Promise<WebhookRow | null> {
    const [, rows] = await this.model.update(
      { ...values, updatedAt: new Date() },
      { where: { userId, id }, returning: true, ...this.inScope },
    );
    return rows[0]?.get({ plain: true }) ?? null;
  }

  /** As the owner's row is now, locked until the end of the transaction. */
  async lockOwned(userId: string, id: string): Promise<WebhookRow | null> {
    const row = await this.model.findOne({ where: { userId, id }, lock: true, ...this.inScope });
    return row?.get({ plain: true }) ?? null;
  }

  async remove(userId: string, id: string): Promise<boolean> {
    return (await this.model.destroy({ where: { userId, id }, ...this.inScope })) > 0;
  }

  async claim(id: string, token: string, leaseSeconds: number): Promise<boolean> {
    const rows = await this.rows(
      `UPDATE webhooks SET claim_token = $2, lease_expires_at = now() + make_interval(secs => $3)
       WHERE id = $1 AND ${FREE} RETURNING id`,
      [id, token, leaseSeconds],
    );
    return rows.length > 0;
  }

  /** Renews the claim and locks the row; null when it is lost, or nothing may be delivered any more. */
  async hold(id: string, token: string, leaseSeconds: number): Promise<WebhookRow | null> {
    const held = await this.rows(
      `UPDATE webhooks SET lease_expires_at = now() + make_interval(secs => $3)
       WHERE id = $1 AND claim_token = $2 AND enabled
         AND EXISTS (SELECT 1 FROM users WHERE users.id = webhooks.user_id AND users.disabled_at IS NULL)
       RETURNING id`,
      [id, token, leaseSeconds],
    );
    return held.length === 0 ? null : this.findOne({ id });
  }

  /** Locks the row as long as the claim is the caller's, whatever else has become of the webhook. */
  async lockClaimed(id: string, token: string): Promise<WebhookRow | null> {
    const row = await this.model.findOne({ where: { id, claimToken: token }, lock: true, ...this.inScope });
    return row?.get({ plain: true }) ?? null;
  }

  async release(id: string, token: string): Promise<void> {
    await this.rows(
      'UPDATE webhooks SET claim_token = NULL, lease_expires_at = NULL WHERE id = $1 AND claim_token = $2',
      [id, token],
    );
  }

  async advance(id: string, seq: number): Promise<void> {
    await this.rows('UPDATE webhooks SET last_seq = $2 WHERE id = $1 AND last_seq < $2', [id, seq]);
  }

  async markTaken(id: string): Promise<void> {
    await this.rows('UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL', [id]);
  }

  /** @returns whether it has been failing for longer than so many seconds */
  async markFailing(id: string, patienceSeconds: number): Promise<boolean> {
    const [row] = await this.rows<{ spent: boolean }>(
      `UPDATE webhooks SET failing_since = coalesce(failing_since, now()) WHERE id = $1
       RETURNING failing_since < now() - make_interval(secs => $2) AS spent`,
      [id, patienceSeconds],
    );
    return row?.spent ?? false;
  }

  async disable(id: string, reason: DisabledReason): Promise<boolean> {
    const rows = await this.rows(
      `UPDATE webhooks SET enabled = false, disabled_reason = $2, disabled_at = now(), updated_at = now()
       WHERE id = $1 AND enabled RETURNING id`,
      [id, reason],
    );
    return rows.length > 0;
  }

  async hasWork(id: string): Promise<boolean> {
    const rows = await this.rows(`SELECT 1 FROM webhooks WHERE id = $1 AND ${FREE} AND (${HAS_NEWS} OR ${HAS_DUE})`, [
      id,
    ]);
    return rows.length > 0;
  }

  /** Of these users those with events that are not deliveries yet. */
  async withNews(userIds: readonly string[]): Promise<{ id: string; head: number }[]> {
    const rows = await this.rows<{ id: string; head: string }>(
      `SELECT id, (SELECT event_seq FROM users WHERE users.id = webhooks.user_id) AS head FROM webhooks
       WHERE user_id = ANY($1::uuid[]) AND ${FREE} AND ${HAS_NEWS}`,
      [userIds],
    );
    return rows.map(({ id, head }) => ({ id, head: Number(head) }));
  }

  async withWork(limit: number): Promise<string[]> {
    const rows = await this.rows<{ id: string }>(
      `SELECT id FROM webhooks WHERE ${FREE} AND (${HAS_NEWS} OR ${HAS_DUE}) ORDER BY position LIMIT $1`,
      [limit],
    );
    return rows.map(({ id }) => id);
  }
}
