import type { Page } from '../../platform/page.js';
import {
  dayRange,
  type DayRange,
  type DayRangeRequest,
  type UsageFigures,
  type UsageOfDay,
  type UsageOfUser,
} from './usage.domain.js';
import type { UsageQueries } from './usage.queries.js';

interface Deps {
  repositories: { usage: UsageQueries };
}

/** Reads only: the figures are written with the ends of attempts. */
export class UsageService {
  constructor(private readonly deps: Deps) {}

  /** @throws AppError validation-failed */
  async ofUser(
    userId: string,
    request: DayRangeRequest,
  ): Promise<{ range: DayRange; total: UsageFigures; page: Page<UsageOfDay> }> {
    const range = dayRange(request, new Date());
    const { usage } = this.deps.repositories;
    const [total, page] = await Promise.all([usage.totalOf(userId, range), usage.daysOf(userId, range, request)]);
    return { range, total, page };
  }

  /** @throws AppError validation-failed */
  async ofAll(request: DayRangeRequest): Promise<{ range: DayRange; page: Page<UsageOfUser> }> {
    const range = dayRange(request, new Date());
    return { range, page: await this.deps.repositories.usage.ofUsers(range, request) };
  }
}
