import { QueryTypes } from 'sequelize';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { cutPage, decodeCursor, UUID_KEY, type Page, type PageRequest } from '../../platform/page.js';
import type { DayRange, UsageFigures, UsageOfDay, UsageOfUser } from './usage.domain.js';

interface FiguresRow {
  jobs: string;
  attempts: string;
  frames: string;
  wall_seconds: number;
  cpu_seconds: number;
  gpu_seconds: number;
  energy_wh: number;
  carbon_grams: number;
  credits: string;
}

const COLUMNS = [
  ...['jobs', 'attempts', 'frames', 'wall_seconds', 'cpu_seconds', 'gpu_seconds'],
  ...['energy_wh', 'carbon_grams', 'credits'],
];
const SUMS = COLUMNS.map((column) => `coalesce(sum(${column}), 0) AS ${column}`).join(', ');

const DAY_KEY = /^\d{4}-\d{2}-\d{2}$/;

/** Reads for people, from the rows of days: what they cost depends on days and users, not on jobs. */
export class UsageQueries {
  constructor(private readonly scope: DatabaseScope) {}

  /** Newest day first. */
  async daysOf(userId: string, { from, to }: DayRange, { limit, cursor }: PageRequest): Promise<Page<UsageOfDay>> {
    const before = cursor === undefined ? null : decodeCursor(cursor, [DAY_KEY])[0];
    const rows = await this.select<FiguresRow & { day: string }>(
      `SELECT day::text AS day, ${COLUMNS.join(', ')} FROM usage_days
       WHERE user_id = $1 AND day BETWEEN $2::date AND $3::date AND day < coalesce($4::date, 'infinity')
       ORDER BY day DESC LIMIT $5`,
      [userId, from, to, before, limit + 1],
    );
    return cutPage(
      rows,
      limit,
      ({ day }) => [day],
      ({ day, ...row }) => ({ day, ...toFigures(row) }),
    );
  }

  async totalOf(userId: string, { from, to }: DayRange): Promise<UsageFigures> {
    const [row] = await this.select<FiguresRow>(
      `SELECT ${SUMS} FROM usage_days WHERE user_id = $1 AND day BETWEEN $2::date AND $3::date`,
      [userId, from, to],
    );
    return toFigures(row);
  }

  /** In the order of their ids: a walk along the primary key, which ends with the page. */
  async ofUsers({ from, to }: DayRange, { limit, cursor }: PageRequest): Promise<Page<UsageOfUser>> {
    const after = cursor === undefined ? null : decodeCursor(cursor, [UUID_KEY])[0];
    const rows = await this.select<FiguresRow & { user_id: string; email: string }>(
      `SELECT sums.*, users.email FROM (
         SELECT user_id, ${SUMS} FROM usage_days
         WHERE day BETWEEN $1::date AND $2::date
           AND user_id > coalesce($3::uuid, '00000000-0000-0000-0000-000000000000')
         GROUP BY user_id ORDER BY user_id LIMIT $4) AS sums
       JOIN users ON users.id = sums.user_id ORDER BY sums.user_id`,
      [from, to, after, limit + 1],
    );
    return cutPage(
      rows,
      limit,
      ({ user_id }) => [user_id],
      ({ user_id: userId, email, ...row }) => ({ userId, email, ...toFigures(row) }),
    );
  }

  private select<Row extends object>(sql: string, bind: unknown[]): Promise<Row[]> {
    const { sequelize, transaction } = this.scope;
    return sequelize.query<Row>(sql, { bind, type: QueryTypes.SELECT, transaction });
  }
}

/** PostgreSQL's bigint, and sums of whole numbers, arrive as text. */
const toFigures = (row: FiguresRow): UsageFigures => ({
  jobs: Number(row.jobs),
  attempts: Number(row.attempts),
  frames: Number(row.frames),
  wallSeconds: row.wall_seconds,
  cpuSeconds: row.cpu_seconds,
  gpuSeconds: row.gpu_seconds,
  energyWh: row.energy_wh,
  carbonGrams: row.carbon_grams,
  credits: Number(row.credits),
});
