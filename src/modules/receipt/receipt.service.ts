import { randomUUID } from 'node:crypto';
import { receiptSchema, RECEIPT_TYPE, type Receipt } from '../../contract/receipt.contract.js';
import { AppError } from '../../platform/app-error.js';
import { signReceipt, type PublishedReceiptKey, type ReceiptKeyFile } from '../../platform/auth/receipt-key.js';
import { isDatabaseUnavailable } from '../../platform/database/database-errors.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { isFinal } from '../inference/inference.domain.js';
import type { InferenceRepository } from '../inference/inference.repository.js';
import type { ResultRepository } from '../result/result.repository.js';
import { receiptOf, type StoredReceipt } from './receipt.domain.js';
import type { ReceiptQueries } from './receipt.queries.js';
import type { ReceiptRepository } from './receipt.repository.js';

interface Repositories {
  jobs: InferenceRepository;
  receipts: ReceiptRepository;
  receiptFacts: ReceiptQueries;
  results: ResultRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  key: Pick<ReceiptKeyFile, 'current'>;
}

/** Signs what completed jobs came to, once for good. */
export class ReceiptService {
  /** For the time when the database cannot be asked. */
  private knownKeys: PublishedReceiptKey[] = [];

  constructor(private readonly deps: Deps) {}

  /** @throws AppError not-found, result-not-ready, job-without-result */
  async get(userId: string, jobId: string): Promise<{ receipt: Receipt; jws: string }> {
    const job = await this.deps.repositories.jobs.getOwned(userId, jobId);
    if (!isFinal(job.status)) {
      throw new AppError('result-not-ready', `The job is ${job.status}; its receipt comes with COMPLETED.`);
    }
    if (job.status !== 'COMPLETED') {
      throw new AppError('job-without-result', `The job is ${job.status}: only completed jobs have a receipt.`);
    }
    const { payload, jws } = await this.signed(jobId);
    return { receipt: receiptSchema.parse(JSON.parse(payload)), jws };
  }

  /** The keys of all receipts that there are, the one that signs among them. */
  async publishedKeys(): Promise<PublishedReceiptKey[]> {
    const { receipts } = this.deps.repositories;
    const { published } = await this.deps.key.current();
    try {
      if (!this.knownKeys.some(({ kid }) => kid === published.kid)) await receipts.publish(published);
      this.knownKeys = await receipts.publishedKeys();
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
    }
    return this.knownKeys.length > 0 ? this.knownKeys : [published];
  }

  private async signed(jobId: string): Promise<{ payload: string; jws: string }> {
    const { payload, jws } = await this.written(jobId);
    if (jws !== null) return { payload, jws };
    const key = await this.deps.key.current();
    const made = await signReceipt(payload, RECEIPT_TYPE, key);
    return this.deps.uow.run(async ({ repositories: { receipts } }) => {
      await receipts.seal(jobId, made, key.published);
      // That of whoever was first.
      const sealed = await receipts.ofJob(jobId);
      if (sealed === null || sealed.jws === null) throw new Error(`The receipt of job ${jobId} cannot be signed`);
      return { payload: sealed.payload, jws: sealed.jws };
    });
  }

  /** Jobs from before there were receipts get theirs when somebody first asks. */
  private async written(jobId: string): Promise<StoredReceipt> {
    const found = await this.deps.repositories.receipts.ofJob(jobId);
    if (found !== null) return found;
    return this.deps.uow.run(async ({ repositories: { receipts, receiptFacts, results } }) => {
      const result = await results.ofJob(jobId);
      if (result === null) throw new Error(`Job ${jobId} is completed and has no result`);
      const kept = { payload: result.gone === null ? result.payload : null, archive: result.archive };
      const receipt = receiptOf(await receiptFacts.factsOf(jobId), kept, randomUUID());
      await receipts.add(jobId, JSON.stringify(receipt));
      const written = await receipts.ofJob(jobId);
      if (written === null) throw new Error(`The receipt of job ${jobId} cannot be written`);
      return written;
    });
  }
}
