import { AccountRepository } from '../modules/account/account.repository.js';
import { ApiKeyRepository } from '../modules/api-key/api-key.repository.js';
import { AuditRepository } from '../modules/audit/audit.repository.js';
import { CreditRepository } from '../modules/credit/credit.repository.js';
import { DatasetRepository } from '../modules/dataset/dataset.repository.js';
import { EventRepository } from '../modules/event/event.repository.js';
import { LiveConnectionRepository } from '../modules/event/live-connection.repository.js';
import { IdempotencyRepository } from '../modules/idempotency/idempotency.repository.js';
import { CheckpointRepository } from '../modules/inference/checkpoint.repository.js';
import { InferenceRepository } from '../modules/inference/inference.repository.js';
import { JobViewQueries } from '../modules/inference/job-view.queries.js';
import { ModelRepository } from '../modules/model/model.repository.js';
import { ReceiptQueries } from '../modules/receipt/receipt.queries.js';
import { ReceiptRepository } from '../modules/receipt/receipt.repository.js';
import { ResultRepository } from '../modules/result/result.repository.js';
import { RunnerRepository } from '../modules/runner/runner.repository.js';
import { StoredFileRepository } from '../modules/stored-file/stored-file.repository.js';
import { LoginAttemptRepository } from '../modules/session/login-attempt.repository.js';
import { SessionRepository } from '../modules/session/session.repository.js';
import { UploadRepository } from '../modules/upload/upload.repository.js';
import { UsageQueries } from '../modules/usage/usage.queries.js';
import { WebhookRepository } from '../modules/webhook/webhook.repository.js';
import { VideoRepository } from '../modules/video/video.repository.js';
import type { DatabaseScope } from '../platform/database/scope.js';

/** Called once for the database as it is, and once for each transaction. */
export function createRepositories(scope: DatabaseScope) {
  return {
    accounts: new AccountRepository(scope),
    apiKeys: new ApiKeyRepository(scope),
    audit: new AuditRepository(scope),
    checkpoints: new CheckpointRepository(scope),
    credits: new CreditRepository(scope),
    datasets: new DatasetRepository(scope),
    events: new EventRepository(scope),
    files: new StoredFileRepository(scope),
    idempotency: new IdempotencyRepository(scope),
    jobs: new InferenceRepository(scope),
    jobViews: new JobViewQueries(scope),
    liveConnections: new LiveConnectionRepository(scope),
    loginAttempts: new LoginAttemptRepository(scope),
    models: new ModelRepository(scope),
    receiptFacts: new ReceiptQueries(scope),
    receipts: new ReceiptRepository(scope),
    results: new ResultRepository(scope),
    runners: new RunnerRepository(scope),
    sessions: new SessionRepository(scope),
    uploads: new UploadRepository(scope),
    usage: new UsageQueries(scope),
    videos: new VideoRepository(scope),
    webhooks: new WebhookRepository(scope),
  };
}

export type Repositories = ReturnType<typeof createRepositories>;
