/**
 * Status and lists of jobs with 1,000,000 rows against the same with 1,000, both servers in one run, in turn:
 *
 *   node --import tsx benchmarks/million-jobs.ts [rounds] [rows]
 *
 * Half of the rows belong to the user who asks. Prints latencies with their ratios, and how the database runs each query.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createContainer, type Container } from '../src/composition/container.js';
import { loadConfig } from '../src/platform/config/load-config.js';
import { startEmbeddedPostgres } from '../src/platform/database/embedded/embedded-postgres.js';
import { createLogger } from '../src/platform/logging/winston-logger.js';
import { startHttp } from '../src/processes/start-parts.js';
import { plansOf } from '../tests/support/query-plans.js';
import { createTestDatabase, databaseUrl } from '../tests/support/test-database.js';

const rounds = Number(process.argv[2] ?? 10);
const ROWS = Number(process.argv[3] ?? 1_000_000);
/** Enough to fill every page that is asked for. */
const FEW = 1_000;
/** Reading all of a smaller table is what the database should do. */
const SMALL_TABLE = 1_000;
const REQUESTS_PER_ROUND = 200;
const PASSWORD = 'a long benchmark password';
const VIDEO = { container: 'mp4', codec: 'h264', width: 64, height: 64, frames: 100 };

interface Server {
  container: Container;
  baseUrl: string;
  token: string;
  userId: string;
}

const logger = createLogger({ level: 'warn', format: 'pretty', fields: {} });
const folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-million-'));
const postgres = await startEmbeddedPostgres({ dataDir: path.join(folder, 'postgres'), logger });

async function startServer(name: string): Promise<Server> {
  const database = await createTestDatabase(postgres.connection);
  const home = path.join(folder, name);
  const config = loadConfig({
    env: {
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: '0',
      DATABASE_URL: databaseUrl(database),
      DATA_DIR: home,
      RATE_LIMIT_PER_ADDRESS: '0',
      RATE_LIMIT_PER_USER: '0',
    },
    cwd: home,
    readDotenv: false,
  });
  const container = await createContainer(config, logger);
  const baseUrl = `http://127.0.0.1:${await startHttp(container)}`;
  const send = async (route: string) => {
    const response = await fetch(`${baseUrl}/api/auth/${route}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: 'user@example.com', password: PASSWORD }),
    });
    return (await response.json()) as { token: string; user: { id: string } };
  };
  const { user } = await send('register');
  return { container, baseUrl, token: (await send('login')).token, userId: user.id };
}

/** Users 1 to 100, one dataset and one video each; half of the jobs belong to the first, who is the caller. */
async function fill({ container, userId }: Server, rows: number): Promise<void> {
  const { sequelize } = container.infrastructure;
  const statements = [
    `INSERT INTO users (id, email, password_hash)
     SELECT gen_random_uuid(), 'other' || n || '@example.com', '-' FROM generate_series(1, 99) n`,
    `INSERT INTO datasets (id, user_id, name, tags)
     SELECT gen_random_uuid(), id, 'dataset ' || n, ARRAY['tag ' || n] FROM users, generate_series(1, 10) n`,
    `INSERT INTO stored_files (sha256, storage_key, size_bytes)
     SELECT encode(sha256(id::text::bytea), 'hex'), 'videos/' || id, 1000 FROM datasets`,
    `INSERT INTO videos (id, dataset_id, name, storage_key, size_bytes, sha256, container, codec, width, height,
                         frame_count, duration_seconds, cost)
     SELECT gen_random_uuid(), id, 'video', 'videos/' || id, 1000, encode(sha256(id::text::bytea), 'hex'),
            '${VIDEO.container}', '${VIDEO.codec}', ${VIDEO.width}, ${VIDEO.height}, ${VIDEO.frames}, 4, 1 FROM datasets`,
    `CREATE TEMPORARY TABLE places AS
     SELECT d.user_id, d.id AS dataset_id, v.id AS video_id,
            row_number() OVER (PARTITION BY d.user_id = '${userId}') - 1 AS place, d.user_id = '${userId}' AS mine
     FROM datasets d JOIN videos v ON v.dataset_id = d.id`,
    `INSERT INTO inference_jobs (id, user_id, dataset_id, goal_video_id, current_video_id, status, parameters,
                                 created_at, started_at, finished_at)
     SELECT gen_random_uuid(), p.user_id, p.dataset_id, p.video_id, p.video_id, s.status, '{}'::jsonb,
            s.at, s.at, s.at
     FROM (SELECT n, n % 2 = 0 AS mine, now() - n * interval '10 seconds' AS at,
                  (ARRAY['COMPLETED', 'COMPLETED', 'COMPLETED', 'FAILED', 'ABORTED'])[1 + n % 7 % 5] AS status
           FROM generate_series(1, ${rows}) n) s
     JOIN places p ON p.mine = s.mine AND p.place = (s.n / 2) % (CASE WHEN s.mine THEN 10 ELSE 990 END)`,
  ];
  await sequelize.transaction(async (transaction) => {
    await sequelize.query('SET LOCAL statement_timeout = 0', { transaction });
    for (const statement of statements) await sequelize.query(statement, { transaction });
  });
  for (const table of ['users', 'datasets', 'videos', 'inference_jobs'])
    await sequelize.query(`VACUUM ANALYZE ${table}`);
}

async function get<Body>({ baseUrl, token }: Server, route: string): Promise<Body> {
  const response = await fetch(`${baseUrl}/api${route}`, { headers: { Authorization: `Bearer ${token}` } });
  if (response.status !== 200) throw new Error(`${route} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Body;
}

async function measure(server: Server, route: string, into: number[]): Promise<void> {
  for (let request = 0; request < REQUESTS_PER_ROUND; request++) {
    const begun = performance.now();
    await get(server, route);
    into.push(performance.now() - begun);
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

interface Listed {
  jobs: { id: string; dataset_id: string }[];
  nextCursor: string | null;
}

/** The same questions on both servers, each with ids of its own. */
async function questionsFor(server: Server): Promise<Record<string, string>> {
  const { jobs, nextCursor } = await get<Listed>(server, '/inference?limit=50');
  const tag = encodeURIComponent('tag 1');
  const from = encodeURIComponent(new Date(Date.now() - 30 * 86_400_000).toISOString());
  return {
    status: `/inference/status/${jobs[0].id}`,
    detail: `/inference/${jobs[0].id}`,
    'list, first page': '/inference?limit=50',
    'list, next page': nextCursor === null ? '/inference?limit=50' : `/inference?limit=50&cursor=${nextCursor}`,
    'list by status': '/inference?limit=50&status=FAILED&status=ABORTED',
    'list by a rare status': '/inference?limit=50&status=RUNNING',
    'list by dataset': `/inference?limit=50&dataset=${jobs[0].dataset_id}`,
    'list by tag': `/inference?limit=50&tag=${tag}`,
    'list by time': `/inference?limit=50&created_from=${from}`,
    'list by all': `/inference?limit=50&status=FAILED&tag=${tag}&dataset=${jobs[0].dataset_id}&created_from=${from}`,
  };
}

interface Comparison {
  name: string;
  few: Server;
  /** What is asked of each; the ids differ. */
  routes: { few: string; many: string };
}

async function compare({ name, few, routes }: Comparison, many: Server): Promise<void> {
  const times = { few: [] as number[], many: [] as number[] };
  await measure(few, routes.few, []);
  await measure(many, routes.many, []);
  for (let round = 0; round < rounds; round++) {
    const turns = [() => measure(few, routes.few, times.few), () => measure(many, routes.many, times.many)];
    for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
  }
  const plans = await plansOf(many.container.infrastructure.sequelize, () => get(many, routes.many));
  const buffers = plans.reduce((sum, plan) => sum + plan.buffers, 0);
  const scans = plans.flatMap(({ sequentialScans }) =>
    sequentialScans.filter(({ rows }) => rows > SMALL_TABLE).map(({ table }) => table),
  );
  const cells = [0.5, 0.99].flatMap((share) => {
    const [a, b] = [quantile(times.few, share), quantile(times.many, share)];
    return [a.toFixed(2), b.toFixed(2), (b / a).toFixed(2)];
  });
  console.log(`| ${name} | ${cells.join(' | ')} | ${buffers} | ${scans.length === 0 ? 'none' : scans.join(', ')} |`);
}

try {
  const [empty, few, many] = [await startServer('empty'), await startServer('few'), await startServer('many')];
  // One job of the caller's, to have something to ask for.
  await fill(empty, 2);
  await fill(few, FEW);
  await fill(many, ROWS);
  const [ofEmpty, ofFew, ofMany] = [await questionsFor(empty), await questionsFor(few), await questionsFor(many)];

  console.log(
    `${os.cpus()[0].model}, ${os.availableParallelism()} cores, Node ${process.version}, load ${os.loadavg()[0].toFixed(1)}`,
  );
  console.log(`${ROWS} jobs against ${FEW}, ${rounds} rounds of ${REQUESTS_PER_ROUND} requests each, in turn`);
  console.log('| Question | p50 ms, few | many | ratio | p99 ms, few | many | ratio | buffers | sequential scans |');
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  const status = { few: ofEmpty['status'], many: ofMany['status'] };
  await compare({ name: 'status, against 2 jobs', few: empty, routes: status }, many);
  for (const name of Object.keys(ofFew)) {
    await compare({ name, few, routes: { few: ofFew[name], many: ofMany[name] } }, many);
  }
  await Promise.all([empty, few, many].map(({ container }) => container.lifecycle.stop()));
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
