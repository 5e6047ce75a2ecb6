import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { Footprint } from '../carbon/footprint.domain.js';
import type { UsageDayModel } from './usage-day.model.js';

/** What the end of one attempt adds to its day. */
export interface EndedAttempt {
  /** 1 when the job is completed with it, else 0; likewise the next two. */
  jobs: 0 | 1;
  frames: number;
  credits: number;
  /** Null when nobody knows. */
  footprint: Footprint | null;
}

export class UsageDayDao extends BaseDao<UsageDayModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.usageDays);
  }

  /** Adds to the day that it is by the database's clock, UTC; in the transaction that ends the attempt. */
  async add(userId: string, { jobs, frames, credits, footprint }: EndedAttempt): Promise<void> {
    const { wallSeconds = 0, cpuSeconds = 0, gpuSeconds = 0 } = footprint?.consumption ?? {};
    await this.rows(
      `INSERT INTO usage_days AS known
         (user_id, day, jobs, attempts, frames, credits, wall_seconds, cpu_seconds, gpu_seconds, energy_wh, carbon_grams)
       VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2, 1, $3, $4, $5, $6, $7, $8, $9)
       ON CONFLICT (user_id, day) DO UPDATE SET jobs = known.jobs + excluded.jobs, attempts = known.attempts + 1,
         frames = known.frames + excluded.frames, credits = known.credits + excluded.credits,
         wall_seconds = known.wall_seconds + excluded.wall_seconds,
         cpu_seconds = known.cpu_seconds + excluded.cpu_seconds,
         gpu_seconds = known.gpu_seconds + excluded.gpu_seconds,
         energy_wh = known.energy_wh + excluded.energy_wh, carbon_grams = known.carbon_grams + excluded.carbon_grams`,
      [
        ...[userId, jobs, frames, credits, wallSeconds, cpuSeconds, gpuSeconds],
        ...[footprint?.energy.totalWh ?? 0, footprint?.carbonGrams ?? 0],
      ],
    );
  }
}
