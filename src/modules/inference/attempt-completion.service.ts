import { randomUUID } from 'node:crypto';
import type { StoredInferenceResult } from '../../contract/inference.contract.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { repeatWhileUnavailable } from '../../platform/database/while-unavailable.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { ObjectStore, ScratchFile } from '../../platform/storage/object-store.port.js';
import type { RunnerDescription, RunResult } from '../../runners/runner.port.js';
import { footprintOf, type Footprint, type FootprintRates } from '../carbon/footprint.domain.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { EventRepository } from '../event/event.repository.js';
import { carbonReportOf } from '../carbon/carbon-report.domain.js';
import { receiptOf } from '../receipt/receipt.domain.js';
import type { ReceiptQueries } from '../receipt/receipt.queries.js';
import type { ReceiptRepository } from '../receipt/receipt.repository.js';
import { archiveKey, type Archive } from '../result/result.domain.js';
import type { ResultRepository } from '../result/result.repository.js';
import { removeCheckpointFiles } from './checkpoint-files.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import type { Claim, Job } from './inference.domain.js';
import { statusEvent } from './inference.events.js';
import type { InferenceRepository } from './inference.repository.js';
import { settleCompleted } from './inference.settlement.js';

interface Repositories {
  checkpoints: CheckpointRepository;
  credits: CreditRepository;
  events: EventRepository;
  jobs: InferenceRepository;
  receiptFacts: ReceiptQueries;
  receipts: ReceiptRepository;
  results: ResultRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Pick<Repositories, 'results'>;
  store: ObjectStore;
  rates: FootprintRates;
  /** How long results are kept; null for ever. */
  resultRetentionSeconds: number | null;
}

/** A run that came to its end. */
export interface FinishedRun {
  result: RunResult;
  runner: Pick<RunnerDescription, 'kind' | 'name' | 'version'>;
  /** Holds the archive. */
  scratch: ScratchFile;
}

/** How long a result waits for a database that is away, before its work is given up. */
const KEEP_RESULT_MS = 3_600_000;

/** How an attempt ends with a result. */
export class AttemptCompletionService {
  constructor(private readonly deps: Deps) {}

  /**
   * Stores the archive, the result and the price of it, once.
   * @returns false when the job is no longer of this attempt, or is to be cancelled; then nothing is left of the result
   */
  async complete(claim: Claim, run: FinishedRun, logger: Logger, shutdown: AbortSignal): Promise<boolean> {
    const staged = await run.scratch.stage();
    const archive: Archive = {
      key: archiveKey(claim.job.id, claim.token),
      bytes: staged.bytes,
      sha256: staged.sha256,
    };
    // File before row: without the row the sweeper takes the file away.
    await staged.commit(archive.key);
    let isOurs: boolean;
    try {
      isOurs = await repeatWhileUnavailable(() => this.writeResult(claim, run, archive, logger), {
        signal: shutdown,
        forMs: KEEP_RESULT_MS,
        onFailure: (error) => logger.warn('The result cannot be written now; trying again', { error }),
      });
    } catch (error) {
      await this.discardArchive(claim, archive, logger);
      throw error;
    }
    if (!isOurs) {
      await this.deps.store.delete(archive.key);
      return false;
    }
    logger.info('Job completed', { frames: run.result.velocity.length, seconds: run.result.usage.wallSeconds });
    return true;
  }

  /** @returns whether this result is that of the job, written now or by an earlier try that was not answered */
  private async writeResult(claim: Claim, run: FinishedRun, archive: Archive, logger: Logger): Promise<boolean> {
    const { velocity, usage, device } = run.result;
    const own = footprintOf(usage, this.deps.rates, device);
    const orphanedKeys = await this.deps.uow.run(async ({ repositories }) => {
      const ours = await repositories.jobs.completeIfClaimed(claim, velocity.length, own);
      if (ours === null) return null;
      const { job: completed, footprint } = ours;
      const payload = this.presentResult(completed, run, footprint);
      const keptSeconds = this.deps.resultRetentionSeconds;
      await repositories.results.add({ jobId: completed.id, payload, archive, keptSeconds });
      const receipt = receiptOf(
        await repositories.receiptFacts.factsOf(completed.id),
        { payload, archive },
        randomUUID(),
      );
      await repositories.receipts.add(completed.id, JSON.stringify(receipt));
      await settleCompleted(repositories.credits, completed);
      await repositories.events.append(completed.userId, [statusEvent(completed, payload)]);
      return repositories.checkpoints.remove(completed.id);
    });
    if (orphanedKeys === null) return this.isStored(claim, archive);
    await removeCheckpointFiles(this.deps.store, orphanedKeys, logger);
    return true;
  }

  private async isStored(claim: Claim, archive: Archive): Promise<boolean> {
    const stored = await this.deps.repositories.results.ofJob(claim.job.id);
    return stored?.archive.key === archive.key;
  }

  /** The row may have been written without our hearing of it: without its answer the archive is left to the sweeper. */
  private async discardArchive(claim: Claim, archive: Archive, logger: Logger): Promise<void> {
    try {
      if (!(await this.isStored(claim, archive))) await this.deps.store.delete(archive.key);
    } catch (error) {
      logger.warn('The archive of a result that was not written stays behind', { key: archive.key, error });
    }
  }

  private presentResult(job: Job, { result, runner }: FinishedRun, footprint: Footprint): StoredInferenceResult {
    return {
      requestId: job.id,
      velocity: result.velocity,
      carbon_footprint: footprint.carbonGrams,
      download_url: `/api/inference/result/zip/${job.id}`,
      message: result.message,
      energy_wh: footprint.energy.totalWh,
      carbon_method: footprint.energy.method,
      carbon_intensity: this.deps.rates.intensity.gramsPerKwh,
      carbon: carbonReportOf(footprint, this.deps.rates.intensity),
      device: result.device,
      runner: `${runner.kind}/${runner.name}@${runner.version}`,
      goal: result.goal,
      frames: result.frames,
      usage: footprint.consumption,
      model: result.model,
      warnings: result.warnings,
    };
  }
}
