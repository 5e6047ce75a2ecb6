import { deliverWebhookHandler } from '../workers/handlers/deliver-webhook.handler.js';
import { runInferenceHandler } from '../workers/handlers/run-inference.handler.js';
import { Scheduler } from '../workers/scheduler.js';
import { WebhookBells } from '../workers/webhook-bells.js';
import { WorkerHost } from '../workers/worker-host.js';
import type { Container } from './container.js';

const SWEEP_EVERY_MS = 3600 * 1000;
const FIT_EVERY_MS = 1000;
const PURGE_EVERY_MS = 60 * 1000;
const FORGET_UPLOADS_EVERY_MS = 60 * 1000;

/** Takes jobs from the queue; not started. */
export function createWorkerHost({ config, services, infrastructure, logger }: Container): WorkerHost {
  return new WorkerHost({
    backend: infrastructure.queue,
    handlers: {
      'run-inference': runInferenceHandler(services.execution),
      'deliver-webhook': deliverWebhookHandler(services.webhookDeliveries),
    },
    concurrency: config.workerConcurrency,
    capacity: () => services.runnerPool.capacity(),
    drainMs: (config.settings.SHUTDOWN_TIMEOUT * 1000) / 3,
    logger,
  });
}

/** Finds what was lost and takes away what is left over; not started. */
export function createScheduler({ config, services, logger }: Container): Scheduler {
  return new Scheduler(
    [
      {
        name: 'take back jobs of silent workers',
        everyMs: config.settings.RECONCILE_INTERVAL * 1000,
        run: () => services.recovery.recoverLost(),
      },
      {
        name: 'abort jobs that missed their start',
        everyMs: config.settings.RECONCILE_INTERVAL * 1000,
        run: () => services.recovery.abortUnstarted(),
      },
      {
        name: 'ring again for jobs that nobody took',
        everyMs: config.settings.RECONCILE_INTERVAL * 1000,
        run: () => services.recovery.ringAgain(),
      },
      {
        name: 'remove dead sessions',
        everyMs: SWEEP_EVERY_MS,
        run: () => services.sessions.removeDead(),
      },
      {
        name: 'forget old idempotency keys',
        everyMs: SWEEP_EVERY_MS,
        run: () => services.idempotency.forgetOld(),
      },
      {
        name: 'remove files of deleted videos',
        everyMs: PURGE_EVERY_MS,
        run: async () => {
          await services.retention.purge();
        },
      },
      {
        name: 'remove expired results',
        everyMs: PURGE_EVERY_MS,
        run: () => services.resultExpiry.removeExpired(),
      },
      {
        name: 'remove checkpoints of ended jobs',
        everyMs: PURGE_EVERY_MS,
        run: () => services.checkpointExpiry.removeExpired(),
      },
      {
        name: 'ring for webhooks with something to deliver',
        everyMs: config.settings.RECONCILE_INTERVAL * 1000,
        run: () => services.webhookDeliveries.ringFor(null),
      },
      {
        name: 'remove old events and deliveries',
        everyMs: SWEEP_EVERY_MS,
        run: async () => {
          await services.events.removeOld();
          await services.runnerHealth.forgetOld(config.settings.EVENT_RETENTION);
          await services.webhookDeliveries.removeOld();
        },
      },
      {
        name: 'finish uploads of servers that died',
        everyMs: config.settings.RECONCILE_INTERVAL * 1000,
        run: () => services.uploads.takeOver(),
      },
      {
        name: 'forget uploads whose time is over',
        everyMs: FORGET_UPLOADS_EVERY_MS,
        run: () => services.uploads.removeExpired(),
      },
      {
        name: 'sweep storage',
        everyMs: SWEEP_EVERY_MS,
        run: async () => {
          await services.sweep.sweep(new Date());
        },
      },
    ],
    logger,
  );
}

/** What a process that runs jobs looks after meanwhile; not started. */
export function createWorkerSchedules(host: WorkerHost, { services, config, logger }: Container): Scheduler {
  return new Scheduler(
    [
      { name: 'work on as many jobs as there are slots', everyMs: FIT_EVERY_MS, run: () => host.fit() },
      {
        // Here, for what counts is whether the machines that run jobs reach them.
        name: 'ask runners how they are',
        everyMs: config.settings.RECONCILE_INTERVAL * 1000,
        run: () => services.runnerHealth.checkDue(),
      },
      {
        name: 'tell how the embedded engine is',
        everyMs: config.settings.RUNNER_CHECK_INTERVAL * 1000,
        run: () => services.runnerHealth.checkEmbedded(),
      },
      {
        name: 'switch off runners that settings no longer name',
        everyMs: SWEEP_EVERY_MS,
        run: () => services.runnerSetup.retireUnnamed(),
      },
    ],
    logger,
  );
}

/** Tells webhooks of new events as they happen. */
export function createWebhookBells({ infrastructure, services, logger }: Container): WebhookBells {
  return new WebhookBells({
    bus: infrastructure.bus,
    ringFor: (userIds) => services.webhookDeliveries.ringFor(userIds),
    logger,
  });
}
