import type { Attributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { DeliveryStatus } from './webhook.domain.js';
import type { WebhookDeliveryModel } from './webhook-delivery.model.js';

export type WebhookDeliveryRow = Attributes<WebhookDeliveryModel>;

export class WebhookDeliveryDao extends BaseDao<WebhookDeliveryModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.webhookDeliveries);
  }

  findOf(webhookId: string, id: string) {
    return this.findOne({ webhookId, id });
  }

  /** The oldest that is due. One at a time: the webhook is claimed. */
  async nextDue(webhookId: string): Promise<WebhookDeliveryRow | null> {
    const [due] = await this.rows<{ id: string }>(
      `SELECT id FROM webhook_deliveries WHERE webhook_id = $1 AND status = 'PENDING' AND available_at <= now()
       ORDER BY position LIMIT 1 FOR UPDATE`,
      [webhookId],
    );
    return due === undefined ? null : this.findOne({ id: due.id });
  }

  async count(id: string, change: 1 | -1): Promise<number> {
    const [row] = await this.rows<{ attempts: number }>(
      'UPDATE webhook_deliveries SET attempts = attempts + $2 WHERE id = $1 RETURNING attempts',
      [id, change],
    );
    return row?.attempts ?? 0;
  }

  async finish(id: string, status: Exclude<DeliveryStatus, 'PENDING'>): Promise<boolean> {
    const rows = await this.rows(
      `UPDATE webhook_deliveries SET status = $2, finished_at = now() WHERE id = $1 AND status = 'PENDING' RETURNING id`,
      [id, status],
    );
    return rows.length > 0;
  }

  async postpone(id: string, delayMs: number): Promise<void> {
    await this.rows(
      `UPDATE webhook_deliveries SET available_at = now() + make_interval(secs => $2::double precision / 1000)
       WHERE id = $1 AND status = 'PENDING'`,
      [id, delayMs],
    );
  }

  async cancelPending(webhookId: string): Promise<void> {
    await this.rows(
      `UPDATE webhook_deliveries SET status = 'CANCELLED', finished_at = now()
       WHERE webhook_id = $1 AND status = 'PENDING'`,
      [webhookId],
    );
  }

  /** Newest first. */
  async page(
    webhookId: string,
    { status, before, limit }: { status: DeliveryStatus | null; before: string | null; limit: number },
  ): Promise<WebhookDeliveryRow[]> {
    const found = await this.rows<{ id: string }>(
      `SELECT id FROM webhook_deliveries
       WHERE webhook_id = $1 AND ($2::text IS NULL OR status = $2) AND ($3::bigint IS NULL OR position < $3)
       ORDER BY position DESC LIMIT $4`,
      [webhookId, status, before, limit],
    );
    const rows = await this.model.findAll({
      where: { id: found.map(({ id }) => id) },
      order: [['position', 'DESC']],
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }

  /** @returns how many were removed */
  async removeFinishedBefore(ageSeconds: number, limit: number): Promise<number> {
    const rows = await this.rows(
      `DELETE FROM webhook_deliveries WHERE id IN (
         SELECT id FROM webhook_deliveries
         WHERE status <> 'PENDING' AND finished_at < now() - make_interval(secs => $1) ORDER BY finished_at LIMIT $2
       ) RETURNING id`,
      [ageSeconds, limit],
    );
    return rows.length;
  }
}
