import type { AccountRepository } from '../account/account.repository.js';
import type { InferenceService, QuotedJob, Submission } from '../inference/inference.service.js';
import type { VideoService } from '../video/video.service.js';
import type { Quote, QuotedItem } from './quote.domain.js';

interface Deps {
  repositories: { accounts: AccountRepository };
  inference: InferenceService;
  videos: VideoService;
}

/** Tells prices; those who charge are asked, so that it is their price. */
export class QuoteService {
  constructor(private readonly deps: Deps) {}

  /** @throws AppError not-found for a dataset that is not the user's */
  async ofUpload(userId: string, datasetId: string | undefined, frameCounts: readonly number[]): Promise<Quote> {
    return this.quote(userId, await this.deps.videos.quote(userId, datasetId, frameCounts));
  }

  /** @throws AppError as the submission itself would, but for the credits */
  async ofJobs(submission: Omit<Submission, 'priority'>): Promise<Quote> {
    const jobs = await this.deps.inference.quote(submission);
    return this.quote(submission.userId, jobs.map(toItem));
  }

  private async quote(userId: string, items: readonly QuotedItem[]): Promise<Quote> {
    const cost = items.reduce((sum, item) => sum + item.cost, 0);
    const balance = (await this.deps.repositories.accounts.find(userId))?.credit ?? 0;
    return { cost, balance, sufficient: cost <= balance, items };
  }
}

const toItem = ({ frames, cost, goalVideoId, currentVideoId }: QuotedJob): QuotedItem => ({
  frames,
  cost,
  goalVideoId,
  currentVideoId,
});
