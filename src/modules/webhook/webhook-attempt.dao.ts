import { literal, type Attributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { AttemptResult } from './webhook.domain.js';
import type { WebhookAttemptModel } from './webhook-attempt.model.js';

export type WebhookAttemptRow = Attributes<WebhookAttemptModel>;

export class WebhookAttemptDao extends BaseDao<WebhookAttemptModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.webhookAttempts);
  }

  async finish(deliveryId: string, number: number, result: AttemptResult): Promise<void> {
    await this.model.update(
      {
        outcome: result.outcome,
        responseStatus: result.responseStatus,
        responseBody: result.responseBody,
        errorCode: result.error?.code ?? null,
        errorMessage: result.error?.message ?? null,
        durationMs: result.durationMs,
        finishedAt: literal('now()'),
      },
      { where: { deliveryId, number }, ...this.inScope },
    );
  }

  async remove(deliveryId: string, number: number): Promise<void> {
    await this.model.destroy({ where: { deliveryId, number }, ...this.inScope });
  }

  async listOf(deliveryIds: readonly string[]): Promise<WebhookAttemptRow[]> {
    const rows = await this.model.findAll({
      where: { deliveryId: [...deliveryIds] },
      order: [['number', 'ASC']],
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }
}
