import { QueryTypes, type Sequelize } from 'sequelize';

export interface QueryPlan {
  sql: string;
  /** Tables that were read from end to end, each with the rows it holds by the plan's estimate. */
  sequentialScans: { table: string; rows: number }[];
  /** Pages of 8 KiB that were touched. */
  buffers: number;
}

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Plan Rows': number;
  'Rows Removed by Filter'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
}

/** Sequelize reads its options for each query without declaring them. */
interface Logging {
  options: { logging: false | ((sql: string, query: { bind?: unknown[] }) => void) };
}

interface Captured {
  sql: string;
  bind: unknown[] | undefined;
}

/**
 * Notes every SELECT that Sequelize sends while `work` goes on, and then asks the database how it runs each of them.
 * Nothing else may use this Sequelize meanwhile.
 */
export async function plansOf(sequelize: Sequelize, work: () => Promise<unknown>): Promise<QueryPlan[]> {
  const captured: Captured[] = [];
  const { options } = sequelize as unknown as Logging;
  const before = options.logging;
  options.logging = (text, { bind }) => {
    const sql = text.replace(/^Executing \([^)]*\): /, '').replace(/; "[^"]*"$/, '');
    if (/^\s*(SELECT|WITH)\b/i.test(sql)) captured.push({ sql, bind });
  };
  try {
    await work();
  } finally {
    options.logging = before;
  }
  return Promise.all(captured.map((query) => explain(sequelize, query)));
}

async function explain(sequelize: Sequelize, { sql, bind }: Captured): Promise<QueryPlan> {
  const [answer] = await sequelize.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sql}`,
    { type: QueryTypes.SELECT, logging: false, ...(bind === undefined ? {} : { bind }) },
  );
  const root = answer['QUERY PLAN'][0].Plan;
  return {
    sql,
    buffers: root['Shared Hit Blocks'] + root['Shared Read Blocks'],
    sequentialScans: nodesOf(root)
      .filter((node) => node['Node Type'] === 'Seq Scan')
      .map((node) => ({ table: node['Relation Name'] ?? '?', rows: node['Plan Rows'] })),
  };
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];
