import os from 'node:os';
import { AccountAdminService } from '../modules/account/account-admin.service.js';
import { AccountService } from '../modules/account/account.service.js';
import { AdminConsoleService } from '../modules/admin-console/admin-console.service.js';
import { ApiKeyService } from '../modules/api-key/api-key.service.js';
import { AuditService } from '../modules/audit/audit.service.js';
import { CreditService } from '../modules/credit/credit.service.js';
import { DatasetService } from '../modules/dataset/dataset.service.js';
import { EventService } from '../modules/event/event.service.js';
import { AttemptCompletionService } from '../modules/inference/attempt-completion.service.js';
import { AttemptEndingService } from '../modules/inference/attempt-ending.service.js';
import { AttemptOpeningService } from '../modules/inference/attempt-opening.service.js';
import { CheckpointExpiryService } from '../modules/inference/checkpoint-expiry.service.js';
import { InferenceReadingService } from '../modules/inference/inference-reading.service.js';
import { IdempotencyService } from '../modules/idempotency/idempotency.service.js';
import { InferenceExecutionService } from '../modules/inference/inference-execution.service.js';
import { InferenceRecoveryService } from '../modules/inference/inference-recovery.service.js';
import { InferenceResultService } from '../modules/inference/inference-result.service.js';
import { InferenceService } from '../modules/inference/inference.service.js';
import { JobWaiter } from '../modules/inference/job-waiter.js';
import { ModelAdminService } from '../modules/model/model-admin.service.js';
import { ModelParameters } from '../modules/model/model-parameters.js';
import { ModelService } from '../modules/model/model.service.js';
import { ReceiptService } from '../modules/receipt/receipt.service.js';
import { ResultExpiryService } from '../modules/result/result-expiry.service.js';
import { QuoteService } from '../modules/quote/quote.service.js';
import { RunnerAdminService } from '../modules/runner/runner-admin.service.js';
import type { RunnerDirectory } from '../modules/runner/runner-directory.js';
import { RunnerHealthService } from '../modules/runner/runner-health.service.js';
import { RunnerPoolService } from '../modules/runner/runner-pool.service.js';
import { RunnerSetupService } from '../modules/runner/runner-setup.service.js';
import { RunnerService } from '../modules/runner/runner.service.js';
import { ServiceInfoService } from '../modules/service-info/service-info.service.js';
import { AuthenticationService } from '../modules/session/authentication.service.js';
import { CredentialCheckService } from '../modules/session/credential-check.service.js';
import { SessionService } from '../modules/session/session.service.js';
import { StorageSweepService } from '../modules/storage-sweep/storage-sweep.service.js';
import { StoredFileService } from '../modules/stored-file/stored-file.service.js';
import { UploadLocker } from '../modules/upload/upload-locker.js';
import { UploadService } from '../modules/upload/upload.service.js';
import { VideoArchiveService } from '../modules/video/video-archive.service.js';
import { VideoLibraryService } from '../modules/video/video-library.service.js';
import { VideoRetentionService } from '../modules/video/video-retention.service.js';
import { VideoThumbnailService } from '../modules/video/video-thumbnail.service.js';
import { UsageService } from '../modules/usage/usage.service.js';
import { WebhookDeliveryService } from '../modules/webhook/webhook-delivery.service.js';
import { WebhookService } from '../modules/webhook/webhook.service.js';
import { VideoService } from '../modules/video/video.service.js';
import { PasswordHasher } from '../platform/auth/password-hasher.js';
import { TokenService } from '../platform/auth/token.service.js';
import type { Config } from '../platform/config/load-config.js';
import type { Logger } from '../platform/logging/logger.js';
import { Permits } from '../platform/permits.js';
import { AddressPolicy } from '../platform/outbound/address-policy.js';
import { OutboundClient, type Resolve } from '../platform/outbound/outbound-client.js';
import { VERSION } from '../platform/version.js';
import { RUNNER_KINDS } from '../runners/runner.registry.js';
import type { Infrastructure } from './infrastructure.js';
import { createRepositories } from './repositories.js';

interface Parts {
  config: Config;
  infrastructure: Infrastructure;
  directory: RunnerDirectory;
  resolve: Resolve;
  logger: Logger;
  shutdown: AbortSignal;
}

/** A due job nobody has taken after this long gets its bell rung again. */
const BELL_GRACE_SECONDS = 5;
/** So often the scheduler passes by a complete upload that nobody has begun to finish. */
const UPLOAD_GRACE_TURNS = 5;
/** Files younger than this may belong to an upload or a job that is going on. */
const SWEEP_AGE_MS = 24 * 3600 * 1000;

/** A model server that fails again and again is tried at least this often, unless a longer pause is set. */
const LONGEST_BREAKER_PAUSE_SECONDS = 600;
/** Videos, pictures and folders of one uploaded archive. */
const ARCHIVE_MAX_ENTRIES = 10_000;

/** Reads top to bottom as the dependency graph. */
export function createServices({ config, infrastructure, directory, resolve, logger, shutdown }: Parts) {
  const { settings } = config;
  const { uow, repositories, store, decoder, sequelize, bus } = infrastructure;

  const passwords = new PasswordHasher(settings.BCRYPT_COST);
  const tokens = new TokenService(infrastructure.keys);
  const accounts = new AccountService({ uow, repositories, passwords, signupCredits: settings.SIGNUP_CREDITS });
  const accountAdmin = new AccountAdminService({ uow, repositories });
  const credentials = new CredentialCheckService({
    uow,
    repositories,
    passwords,
    failureLimit: settings.AUTH_RATE_LIMIT,
  });
  const sessions = new SessionService({
    uow,
    repositories,
    credentials,
    passwords,
    tokens,
    tokenSeconds: settings.JWT_EXPIRATION,
    times: { idleSeconds: settings.REFRESH_EXPIRATION, longestSeconds: settings.SESSION_EXPIRATION },
    logger,
  });
  const authentication = new AuthenticationService({ repositories, tokens, logger });
  const adminConsole = new AdminConsoleService({
    uow,
    repositories,
    credentials,
    tokens: new TokenService(infrastructure.keys, 'admin-console'),
  });
  const apiKeys = new ApiKeyService({ uow, repositories });
  const audit = new AuditService({ repositories });
  const credits = new CreditService({ uow, repositories });
  const files = new StoredFileService({ store, repositories, logger });
  const idempotency = new IdempotencyService({
    repositories,
    createRepositories,
    retentionSeconds: settings.IDEMPOTENCY_RETENTION,
  });
  const datasets = new DatasetService({ uow, repositories });
  const videos = new VideoService({
    uow,
    repositories,
    files,
    archives: new VideoArchiveService({
      store,
      limits: { maxEntries: ARCHIVE_MAX_ENTRIES, maxTotalBytes: settings.MAX_UPLOAD_BYTES },
    }),
    decoder,
    probes: new Permits(os.availableParallelism()),
    framesPerCredit: settings.UPLOAD_FRAMES_PER_CREDIT,
  });
  const uploads = new UploadService({
    uow,
    repositories,
    videos,
    store,
    maxBytes: settings.MAX_UPLOAD_BYTES,
    lifetimeSeconds: settings.UPLOAD_EXPIRY,
    claimSeconds: settings.JOB_LEASE,
    graceSeconds: UPLOAD_GRACE_TURNS * settings.RECONCILE_INTERVAL,
    logger,
    shutdown,
  });
  const uploadLocker = new UploadLocker({ uploads: repositories.uploads, logger });
  const models = new ModelService({ repositories });
  const modelAdmin = new ModelAdminService({ uow, repositories, runnerKinds: RUNNER_KINDS });
  const runnerView = new RunnerService({ repositories, embedded: directory.embedded?.describe() ?? null });
  const runnerHealth = new RunnerHealthService({
    uow,
    repositories,
    directory,
    everySeconds: settings.RUNNER_CHECK_INTERVAL,
    logger,
  });
  const runnerAdmin = new RunnerAdminService({
    uow,
    repositories,
    secrets: infrastructure.secrets,
    health: runnerHealth,
    describe: (identity) => directory.describe(identity),
  });
  const runnerSetup = new RunnerSetupService({
    uow,
    secrets: infrastructure.secrets,
    embedded: directory.embedded,
    configured: config.runners,
    describe: (identity) => directory.describe(identity),
    logger,
  });
  const runnerPool = new RunnerPoolService({
    uow,
    repositories,
    directory,
    bus,
    rules: {
      failures: settings.RUNNER_BREAKER_FAILURES,
      pauseSeconds: settings.RUNNER_BREAKER_PAUSE,
      longestPauseSeconds: Math.max(LONGEST_BREAKER_PAUSE_SECONDS, settings.RUNNER_BREAKER_PAUSE),
    },
    logger,
    shutdown,
  });
  const inference = new InferenceService({
    uow,
    repositories,
    modelParameters: new ModelParameters(),
    runners: runnerView,
    framesPerCredit: settings.INFERENCE_FRAMES_PER_CREDIT,
    longestTimeoutSeconds: settings.JOB_TIMEOUT,
  });
  const inferenceReading = new InferenceReadingService({ repositories, runners: runnerView });
  const jobWaiter = new JobWaiter({ jobs: repositories.jobs, bus, shutdown });
  const inferenceResults = new InferenceResultService({ repositories, store, logger });
  const resultExpiry = new ResultExpiryService({ repositories, store, logger });
  const checkpointExpiry = new CheckpointExpiryService({
    uow,
    store,
    logger,
    retentionSeconds: settings.CHECKPOINT_RETENTION,
  });
  const quotes = new QuoteService({ repositories, inference, videos });
  const rates = {
    wattsPerCore: settings.CPU_WATTS_PER_CORE,
    wattsPerGpu: settings.GPU_WATTS,
    wattsPerGib: settings.MEMORY_WATTS_PER_GIB,
    intensity: config.gridIntensity,
  };
  const execution = new InferenceExecutionService({
    uow,
    repositories,
    opening: new AttemptOpeningService({
      uow,
      repositories,
      pool: runnerPool,
      worker: `${os.hostname()}:${process.pid}`,
      leaseSeconds: settings.JOB_LEASE,
    }),
    completion: new AttemptCompletionService({
      uow,
      repositories,
      store,
      rates,
      resultRetentionSeconds: settings.RESULT_RETENTION ?? null,
    }),
    ending: new AttemptEndingService({
      uow,
      repositories,
      pool: runnerPool,
      store,
      timeoutSeconds: settings.JOB_TIMEOUT,
      maxAttempts: settings.JOB_MAX_ATTEMPTS,
      backoffSeconds: settings.JOB_BACKOFF,
    }),
    pool: runnerPool,
    store,
    bus,
    logger,
    leaseSeconds: settings.JOB_LEASE,
    timeoutSeconds: settings.JOB_TIMEOUT,
    rates,
  });
  const recovery = new InferenceRecoveryService({
    uow,
    repositories,
    logger,
    maxAttempts: settings.JOB_MAX_ATTEMPTS,
    leaseSeconds: settings.JOB_LEASE,
    graceSeconds: BELL_GRACE_SECONDS,
  });
  const receipts = new ReceiptService({ uow, repositories, key: infrastructure.receiptKey });
  const usage = new UsageService({ repositories });
  const events = new EventService({ uow, repositories, retentionSeconds: settings.EVENT_RETENTION });
  const outbound = new OutboundClient(new AddressPolicy(settings.WEBHOOK_ALLOW_PRIVATE_NETWORKS), resolve);
  const webhooks = new WebhookService({
    uow,
    repositories,
    secrets: infrastructure.secrets,
    outbound,
    allowHttp: settings.WEBHOOK_ALLOW_HTTP,
    perUser: settings.WEBHOOKS_PER_USER,
    overlapSeconds: settings.WEBHOOK_SECRET_OVERLAP,
  });
  const webhookDeliveries = new WebhookDeliveryService({
    uow,
    repositories,
    secrets: infrastructure.secrets,
    outbound,
    logger,
    userAgent: `InferNode/${VERSION}`,
    timeoutSeconds: settings.WEBHOOK_TIMEOUT,
    retry: { delays: settings.WEBHOOK_RETRY_SCHEDULE, random: Math.random },
    patienceSeconds: settings.WEBHOOK_DISABLE_AFTER,
    retentionSeconds: settings.EVENT_RETENTION,
  });
  const sweep = new StorageSweepService({ store, files, repositories, logger, minimumAgeMs: SWEEP_AGE_MS });
  const library = new VideoLibraryService({ uow, repositories, store });
  const thumbnails = new VideoThumbnailService({ store, decoder, turns: new Permits(os.availableParallelism()) });
  const retention = new VideoRetentionService({ uow, files, logger, retentionSeconds: settings.DELETED_RETENTION });
  const serviceInfo = new ServiceInfoService({
    pingDatabase: async () => {
      await sequelize.query('SELECT 1');
    },
    shutdown,
  });

  return {
    accounts,
    accountAdmin,
    adminConsole,
    apiKeys,
    audit,
    authentication,
    credits,
    datasets,
    files,
    videos,
    uploads,
    uploadLocker,
    inference,
    inferenceReading,
    inferenceResults,
    jobWaiter,
    resultExpiry,
    checkpointExpiry,
    execution,
    quotes,
    recovery,
    runnerAdmin,
    runnerHealth,
    runnerPool,
    runnerSetup,
    runnerView,
    sessions,
    retention,
    library,
    models,
    modelAdmin,
    thumbnails,
    sweep,
    serviceInfo,
    events,
    idempotency,
    usage,
    receipts,
    webhooks,
    webhookDeliveries,
  };
}

export type Services = ReturnType<typeof createServices>;
