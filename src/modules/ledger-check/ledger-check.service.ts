import {
  checkBalance,
  checkEntry,
  checkJob,
  checkVideo,
  type CheckedEntry,
  type Difference,
} from './ledger-check.domain.js';
import type { LedgerCheckQueries } from './ledger-check.queries.js';

export interface LedgerReport {
  /** The first one; null when everything is as it should be. */
  difference: Difference | null;
  /** What was looked at, up to the difference. */
  checked: { users: number; entries: number; jobs: number; videos: number };
}

/** Recomputes every balance from its entries, and the money of every job and video from what became of it. */
export class LedgerCheckService {
  constructor(private readonly queries: LedgerCheckQueries) {}

  async run(): Promise<LedgerReport> {
    const checked: LedgerReport['checked'] = { users: 0, entries: 0, jobs: 0, videos: 0 };
    const difference =
      (await this.checkAccounts(checked)) ?? (await this.checkJobs(checked)) ?? (await this.checkVideos(checked));
    return { difference, checked };
  }

  /** Users and entries come in the same order, so that one pass over both will do. */
  private async checkAccounts(checked: LedgerReport['checked']): Promise<Difference | null> {
    const entries = this.queries.entries();
    let next = await nextOf(entries);
    for await (const user of this.queries.users()) {
      checked.users++;
      // Ids in text sort as they do in the database: such an entry would hide all that follow.
      if (next !== null && next.userId < user.id) return withoutAccount(next);
      let before: CheckedEntry | null = null;
      for (; next?.userId === user.id; next = await nextOf(entries)) {
        checked.entries++;
        const difference = checkEntry(next, before);
        if (difference !== null) return difference;
        before = next;
      }
      const booked = before?.balanceAfter ?? 0;
      const difference = checkBalance(user, booked);
      if (difference !== null) return difference;
    }
    return next === null ? null : withoutAccount(next);
  }

  private async checkJobs(checked: LedgerReport['checked']): Promise<Difference | null> {
    for await (const job of this.queries.jobs()) {
      checked.jobs++;
      const difference = checkJob(job);
      if (difference !== null) return difference;
    }
    return null;
  }

  private async checkVideos(checked: LedgerReport['checked']): Promise<Difference | null> {
    for await (const video of this.queries.videos()) {
      checked.videos++;
      const difference = checkVideo(video);
      if (difference !== null) return difference;
    }
    return null;
  }
}

const withoutAccount = ({ id, userId, kind, amount }: CheckedEntry): Difference => ({
  check: 'reference',
  userId,
  entryId: id,
  subject: null,
  expected: 'an account for each entry',
  found: `${kind} of ${amount} of an account that is missing`,
});

async function nextOf(entries: AsyncGenerator<CheckedEntry>): Promise<CheckedEntry | null> {
  const step = await entries.next();
  return step.done === true ? null : step.value;
}
