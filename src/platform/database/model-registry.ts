import type { Sequelize } from 'sequelize';
import { defineUserModel } from '../../modules/account/account.model.js';
import { defineApiKeyModel } from '../../modules/api-key/api-key.model.js';
import { defineAuditEntryModel } from '../../modules/audit/audit.model.js';
import { defineCreditEntryModel } from '../../modules/credit/credit.model.js';
import { defineDatasetModel } from '../../modules/dataset/dataset.model.js';
import { defineEventModel } from '../../modules/event/event.model.js';
import { defineLiveConnectionModel } from '../../modules/event/live-connection.model.js';
import { defineIdempotencyKeyModel } from '../../modules/idempotency/idempotency.model.js';
import { defineAttemptModel } from '../../modules/inference/attempt.model.js';
import { defineCheckpointPieceModel } from '../../modules/inference/checkpoint-piece.model.js';
import { defineCheckpointModel } from '../../modules/inference/checkpoint.model.js';
import { defineJobModel } from '../../modules/inference/inference.model.js';
import { definePartialRowsModel } from '../../modules/inference/partial-rows.model.js';
import { defineModelModel } from '../../modules/model/model.model.js';
import { defineReceiptKeyModel } from '../../modules/receipt/receipt-key.model.js';
import { defineReceiptModel } from '../../modules/receipt/receipt.model.js';
import { defineResultModel } from '../../modules/result/result.model.js';
import { defineRunnerEventModel } from '../../modules/runner/runner-event.model.js';
import { defineRunnerModel } from '../../modules/runner/runner.model.js';
import { defineFileReservationModel } from '../../modules/stored-file/file-reservation.model.js';
import { defineStoredFileModel } from '../../modules/stored-file/stored-file.model.js';
import { defineLoginAttemptModel } from '../../modules/session/login-attempt.model.js';
import { defineSessionModel } from '../../modules/session/session.model.js';
import { defineUploadModel } from '../../modules/upload/upload.model.js';
import { defineUsageDayModel } from '../../modules/usage/usage-day.model.js';
import { defineWebhookAttemptModel } from '../../modules/webhook/webhook-attempt.model.js';
import { defineWebhookDeliveryModel } from '../../modules/webhook/webhook-delivery.model.js';
import { defineWebhookModel } from '../../modules/webhook/webhook.model.js';
import { defineVideoModel } from '../../modules/video/video.model.js';

/** Every table of the application; a test compares this list with what the migrations make. */
export function defineModels(sequelize: Sequelize) {
  return {
    users: defineUserModel(sequelize),
    sessions: defineSessionModel(sequelize),
    apiKeys: defineApiKeyModel(sequelize),
    loginAttempts: defineLoginAttemptModel(sequelize),
    auditEntries: defineAuditEntryModel(sequelize),
    creditEntries: defineCreditEntryModel(sequelize),
    datasets: defineDatasetModel(sequelize),
    storedFiles: defineStoredFileModel(sequelize),
    fileReservations: defineFileReservationModel(sequelize),
    videos: defineVideoModel(sequelize),
    models: defineModelModel(sequelize),
    jobs: defineJobModel(sequelize),
    attempts: defineAttemptModel(sequelize),
    partialRows: definePartialRowsModel(sequelize),
    checkpoints: defineCheckpointModel(sequelize),
    checkpointPieces: defineCheckpointPieceModel(sequelize),
    results: defineResultModel(sequelize),
    runners: defineRunnerModel(sequelize),
    runnerEvents: defineRunnerEventModel(sequelize),
    idempotencyKeys: defineIdempotencyKeyModel(sequelize),
    events: defineEventModel(sequelize),
    webhooks: defineWebhookModel(sequelize),
    webhookDeliveries: defineWebhookDeliveryModel(sequelize),
    webhookAttempts: defineWebhookAttemptModel(sequelize),
    liveConnections: defineLiveConnectionModel(sequelize),
    uploads: defineUploadModel(sequelize),
    usageDays: defineUsageDayModel(sequelize),
    receipts: defineReceiptModel(sequelize),
    receiptKeys: defineReceiptKeyModel(sequelize),
  };
}

export type Models = ReturnType<typeof defineModels>;
