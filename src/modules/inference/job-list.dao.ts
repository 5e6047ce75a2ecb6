import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { JobFilter } from './inference.domain.js';
import type { JobModel } from './inference.model.js';
import type { JobRow } from './inference.dao.js';

/** Place of a job in the order of the lists. */
export interface JobPlace {
  /** Microseconds since 1970, as text: more digits than a date has. */
  createdAt: string;
  id: string;
}

export interface JobPageFilter extends Omit<JobFilter, 'cursor'> {
  userId: string;
  /** Only jobs behind this place; null for the newest. */
  after: JobPlace | null;
}

const timeOf = (microseconds: string): string => `timestamptz 'epoch' + ${microseconds}::bigint * interval '1 us'`;
const toMicroseconds = (date: Date): string => String(BigInt(date.getTime()) * 1000n);

/**
 * Pages of jobs, newest first. Per status (and per dataset or model, where those are asked for) a walk along an index that is
 * sorted like the page ends after `limit` rows, so the cost does not depend on how many jobs there are.
 */
export class JobListDao extends BaseDao<JobModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.jobs);
  }

  async page(filter: JobPageFilter): Promise<{ row: JobRow; place: JobPlace }[]> {
    const bind: unknown[] = [];
    const bound = (value: unknown): string => `$${bind.push(value)}`;
    const user = bound(filter.userId);
    const limit = bound(filter.limit);
    const scopes = [`unnest(${bound(filter.statuses)}::text[]) AS wanted (status)`];
    const conditions = ['status = wanted.status'];
    if (filter.datasetId === null && filter.tag === null) conditions.push(`user_id = ${user}`);
    else {
      // Deleted ones too: their jobs stay.
      const datasets = [`user_id = ${user}`];
      if (filter.datasetId !== null) datasets.push(`id = ${bound(filter.datasetId)}`);
      if (filter.tag !== null) datasets.push(`tags @> ARRAY[${bound(filter.tag)}]::text[]`);
      scopes.push(`(SELECT id FROM datasets WHERE ${datasets.join(' AND ')}) AS dataset`);
      conditions.push('dataset_id = dataset.id');
    }
    if (filter.model !== null) {
      conditions.push(`model_name = ${bound(filter.model.name)}`);
      if (filter.model.version !== null) conditions.push(`model_version = ${bound(filter.model.version)}`);
    }
    if (filter.createdFrom !== null)
      conditions.push(`created_at >= ${timeOf(bound(toMicroseconds(filter.createdFrom)))}`);
    if (filter.createdTo !== null) conditions.push(`created_at < ${timeOf(bound(toMicroseconds(filter.createdTo)))}`);
    if (filter.after !== null) {
      conditions.push(`(created_at, id) < (${timeOf(bound(filter.after.createdAt))}, ${bound(filter.after.id)}::uuid)`);
    }
    const order = 'ORDER BY created_at DESC, id DESC';
    const rows = await this.scope.sequelize.query<JobModel>(
      `SELECT job.*, (extract(epoch FROM job.created_at) * 1000000)::bigint::text AS place
       FROM ${scopes.join(' CROSS JOIN ')}
       CROSS JOIN LATERAL (
         SELECT * FROM inference_jobs WHERE ${conditions.join(' AND ')} ${order} LIMIT ${limit}
       ) AS job
       ${order} LIMIT ${limit}`,
      { bind, model: this.model, mapToModel: true, ...this.inScope },
    );
    return rows.map((model) => {
      const row: JobRow & { place: string } = model.get({ plain: true }) as never;
      return { row, place: { createdAt: row.place, id: row.id } };
    });
  }
}
