import { invalidField } from '../../platform/app-error.js';
import type { PageRequest } from '../../platform/page.js';

/** What attempts have consumed together. */
export interface UsageFigures {
  /** Completed. */
  jobs: number;
  /** Ended, however. */
  attempts: number;
  /** Rows of the results. */
  frames: number;
  wallSeconds: number;
  cpuSeconds: number;
  gpuSeconds: number;
  energyWh: number;
  carbonGrams: number;
  credits: number;
}

/** Days as `YYYY-MM-DD`, UTC, both inclusive. */
export interface DayRange {
  from: string;
  to: string;
}

export interface DayRangeRequest extends PageRequest {
  from?: string | undefined;
  to?: string | undefined;
}

export interface UsageOfDay extends UsageFigures {
  day: string;
}

export interface UsageOfUser extends UsageFigures {
  userId: string;
  email: string;
}

const DEFAULT_DAYS = 30;
const DAY_MS = 24 * 3600 * 1000;
/** The contract takes no earlier one. */
const FIRST_DAY = '0001-01-01';

const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10);

/**
 * Fills in what was left out: the last thirty days, or the thirty up to the last.
 * @throws AppError validation-failed when it ends before it begins
 */
export function dayRange({ from, to }: DayRangeRequest, now: Date): DayRange {
  const last = to ?? dayOf(Math.max(now.getTime(), from === undefined ? 0 : Date.parse(from)));
  const first = from ?? dayOf(Math.max(Date.parse(last) - (DEFAULT_DAYS - 1) * DAY_MS, Date.parse(FIRST_DAY)));
  if (first > last) throw invalidField('to', '"to" must not lie before "from".');
  return { from: first, to: last };
}
