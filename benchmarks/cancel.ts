/**
 * From the click on "cancel" to the end of the work, for every kind of runner, through the whole server:
 *
 *   node --import tsx benchmarks/cancel.ts [rounds] [name=url …]
 *
 * A job on every frame of the sample runs until its first frame is done, then it is cancelled over the API. Measured are
 * the time until the runner had stopped, by the evidence in the job, and until the API said ABORTED. An address adds a
 * real model server to the scripted ones. Prints a table in Markdown.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { kindAt } from '../src/cli/runner/test-options.js';
import { createContainer } from '../src/composition/container.js';
import { loadConfig } from '../src/platform/config/load-config.js';
import { startEmbeddedPostgres } from '../src/platform/database/embedded/embedded-postgres.js';
import { createLogger } from '../src/platform/logging/winston-logger.js';
import { startHttp, startScheduler, startWorker } from '../src/processes/start-parts.js';
import { loadSample } from '../src/runners/servo-sample.js';
import { createClient, type Client } from '../src/sdk/client.js';
import { FastApiProcess } from '../tests/support/model-servers/fastapi-process.js';
import { KserveServer } from '../tests/support/model-servers/kserve-server.js';
import { createTestDatabase, databaseUrl } from '../tests/support/test-database.js';

const [rounds = '20', ...servers] = process.argv.slice(2);
const POLL_MS = 5;
const DEADLINE_MS = 60_000;
const SILENT_MS = 1_500;

interface Subject {
  name: string;
  /** As settings of the server have it; empty for its own engine. */
  settings: Record<string, string>;
  /** A server that tells nothing on the way is taken to be in the middle of the work after a while. */
  tellsProgress: boolean;
}

interface Sample {
  /** From the click to the moment at which the runner had stopped, by its evidence. */
  stoppedMs: number;
  /** From the click to ABORTED over the API. */
  abortedMs: number;
  evidence: string;
}

const logger = createLogger({ level: 'error', format: 'pretty', fields: {} });
const folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-cancel-'));
const postgres = await startEmbeddedPostgres({ dataDir: path.join(folder, 'postgres'), logger });
const sample = await loadSample();

async function measure({ name, settings, tellsProgress }: Subject): Promise<Sample[]> {
  const database = await createTestDatabase(postgres.connection);
  const home = path.join(folder, name.replaceAll(/\W+/g, '-'));
  const env = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: '0',
    DATABASE_URL: databaseUrl(database),
    DATA_DIR: home,
    RATE_LIMIT_PER_ADDRESS: '0',
    RATE_LIMIT_PER_USER: '0',
    SIGNUP_CREDITS: '1000',
    ...settings,
  };
  const container = await createContainer(loadConfig({ env, cwd: folder, readDotenv: false }), logger);
  try {
    await startWorker(container);
    startScheduler(container);
    const baseUrl = `http://127.0.0.1:${await startHttp(container)}`;
    const account = { email: 'user@example.com', password: 'a long benchmark password' };
    const anonymous = createClient({ baseUrl });
    await anonymous.register(account);
    const client = anonymous.withToken((await anonymous.login(account)).token);
    const { dataset } = await client.createDataset({ name: 'Sample', tags: [] });
    await client.uploadVideo(dataset.id, { name: 'Goal', file: { path: sample.goalPath } });
    await client.uploadVideo(dataset.id, { name: 'Current', file: { path: sample.currentPath } });
    const samples: Sample[] = [];
    for (let round = 0; round < Number(rounds); round++) {
      samples.push(await cancelOne(client, dataset.id, tellsProgress));
    }
    return samples;
  } finally {
    await container.lifecycle.stop();
  }
}

async function cancelOne(client: Client, datasetId: string, tellsProgress: boolean): Promise<Sample> {
  const parameters = {
    startFrame: 0,
    endFrame: sample.currentFrames - 1,
    frameStep: 1,
    goalFrameId: sample.goalFrame,
    detector: 'SIFT',
    useGpus: true,
    intrinsics: sample.intrinsics,
    distance: sample.distance,
  };
  const { jobId } = await client.submitInference({ datasetId, range: 'all', parameters });
  const [id] = jobId;
  await poll(async () => (await client.getJob(id)).job.status === 'RUNNING');
  if (!tellsProgress) await delay(SILENT_MS);
  await poll(async () => !tellsProgress || ((await client.getJob(id)).job.progress?.processed ?? 0) > 0);
  const clickedAt = Date.now();
  await client.cancelJob(id);
  await poll(async () => (await client.getJobStatus(id)).status === 'ABORTED');
  const abortedMs = Date.now() - clickedAt;
  const { stopped_at, attempts } = (await client.getJob(id)).job;
  const evidence = attempts.at(-1)?.stop?.by ?? 'none';
  return { stoppedMs: Date.parse(stopped_at ?? '') - clickedAt, abortedMs, evidence };
}

async function poll(isDone: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!(await isDone())) {
    if (Date.now() > end) throw new Error('The job does not get there.');
    await delay(POLL_MS);
  }
}

function medianAndWorst(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  return `${sorted[sorted.length >> 1]} | ${sorted[sorted.length - 1]}`;
}

function row(name: string, samples: readonly Sample[]): string {
  const evidence = [...new Set(samples.map((one) => one.evidence))]
    .map((by) => `${by} (${samples.filter((one) => one.evidence === by).length})`)
    .join(', ');
  const stopped = medianAndWorst(samples.map(({ stoppedMs }) => stoppedMs));
  const aborted = medianAndWorst(samples.map(({ abortedMs }) => abortedMs));
  return `| ${name} | ${evidence} | ${stopped} | ${aborted} |`;
}

interface ServerOptions {
  /** Default: by the address. */
  kind?: string;
  tellsProgress?: boolean;
}

function onServer(name: string, url: URL, { kind, tellsProgress = true }: ServerOptions = {}): Subject {
  const runner = { name: 'server', kind: kindAt(url, kind), url: url.href };
  return { name, settings: { RUNNERS: JSON.stringify([runner]) }, tellsProgress };
}

/** Sixty frames are one request, which tells nothing before its end. */
const SILENT_TENSORS: ServerOptions = { kind: 'kserve', tellsProgress: false };

const scripted = await Promise.all([
  FastApiProcess.start({ msPerFrame: 100 }),
  FastApiProcess.start({ msPerFrame: 100, contract: 'legacy' }),
]);
const tensors = await Promise.all([
  KserveServer.start({ transport: 'rest', msPerFrame: 100 }),
  KserveServer.start({ transport: 'grpc', msPerFrame: 100 }),
]);
try {
  const subjects: Subject[] = [
    { name: 'embedded', settings: {}, tellsProgress: true },
    onServer('fastapi', scripted[0].url),
    onServer('fastapi of the first version', scripted[1].url, { tellsProgress: false }),
    onServer('kserve', tensors[0].url, SILENT_TENSORS),
    onServer('kserve over gRPC', tensors[1].url, SILENT_TENSORS),
    ...servers.map((argument) => {
      const [name, address = ''] = argument.split(/=(.*)/s);
      return onServer(name, new URL(address));
    }),
  ];
  process.stdout.write(
    '| Runner | Evidence | click → stopped, ms: median | worst | click → ABORTED, ms: median | worst |\n' +
      '| --- | --- | --: | --: | --: | --: |\n',
  );
  for (const subject of subjects) process.stdout.write(`${row(subject.name, await measure(subject))}\n`);
} finally {
  for (const server of scripted) await server.kill();
  for (const server of tensors) await server.close();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
