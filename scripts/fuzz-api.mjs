/**
 * Asks a server of its own thousands of questions made from its OpenAPI document, and fails on any answer that is a 5xx or
 * that the document does not describe:
 *
 *   npm run fuzz [requests]
 *
 * Uses Schemathesis (https://schemathesis.readthedocs.io) from PyPI, in a virtual environment under the temporary folder;
 * needs Python 3.10 or newer. Ids of things that exist are woven in, so that requests get past "not found".
 */
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SCHEMATHESIS = 'schemathesis==4.32.5';
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'allow_header_conformance',
  'use_after_free',
  'ignored_auth',
];
const PASSWORD = 'a password for fuzzing';
const ADMIN = { email: 'admin@fuzz.example', password: PASSWORD };
/** Ends sessions or accounts, the caller's own among them: asked last. */
const ENDS_SESSIONS = ['logout', 'changePassword', 'endSession', 'updateUser'];
/** Schemathesis cannot write the body of a tus upload. */
const NOT_WRITABLE = ['appendUpload'];
const ROOT = fileURLToPath(new URL('..', import.meta.url));

const wanted = Number(process.argv[2] ?? 20_000);
const folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-fuzz-'));
const server = await startServer();
let failed = false;
let sent = 0;
try {
  const schemathesis = await install();
  const accounts = await createAccounts();
  for (let round = 1; sent < wanted; round++) {
    for (const caller of round === 1 ? ['user', 'admin', 'nobody'] : ['user', 'admin']) {
      // Anew each time: what is deleted by one pass is missed by the next.
      await restoreCns(accounts.admin);
      await writeConfiguration(await furnish(accounts.user));
      const but = [...ENDS_SESSIONS, ...NOT_WRITABLE].flatMap((id) => ['--exclude-operation-id', id]);
      await fuzz(schemathesis, { caller, token: accounts[caller], seed: round, selection: but });
    }
  }
  const only = ENDS_SESSIONS.flatMap((id) => ['--include-operation-id', id]);
  for (const caller of ['leaver', 'leavingAdmin']) {
    await fuzz(schemathesis, { caller, token: accounts[caller], seed: 1, selection: only });
  }
  console.log(`\n${sent} requests sent, ${failed ? 'with failures' : 'no failure'}`);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

async function install() {
  const environment = path.join(os.tmpdir(), 'infernode-schemathesis');
  const program = path.join(environment, 'bin', 'schemathesis');
  if (!(await exists(program))) {
    run('python3', ['-m', 'venv', environment]);
    run(path.join(environment, 'bin', 'pip'), ['install', '--quiet', SCHEMATHESIS]);
  }
  return program;
}

function run(program, args) {
  const { status, error } = spawnSync(program, args, { stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`);
}

async function startServer() {
  const port = await freePort();
  const log = createWriteStream(path.join(folder, 'server.log'));
  const child = spawn(process.execPath, [path.join(ROOT, 'dist/main.js'), 'all'], {
    cwd: folder,
    env: {
      ...process.env,
      HOST: '127.0.0.1',
      PORT: String(port),
      DATA_DIR: path.join(folder, 'data'),
      NODE_ENV: 'production',
      LOG_LEVEL: 'warn',
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
      AUTH_RATE_LIMIT: '1000000',
      RATE_LIMIT_PER_ADDRESS: '0',
      RATE_LIMIT_PER_USER: '0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const baseUrl = `http://127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    if (child.exitCode !== null || attempt > 240) throw new Error(`The server did not start:\n${await serverLog()}`);
    try {
      if ((await fetch(`${baseUrl}/api/health`)).ok) break;
    } catch {
      // Not listening yet.
    }
    await delay(250);
  }
  return {
    baseUrl,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      const errors = (await serverLog()).split('\n').filter((line) => line.includes('"level":"error"'));
      if (errors.length === 0) return;
      console.log(`The server logged ${errors.length} errors, first:\n${errors.slice(0, 5).join('\n')}`);
      failed = true;
    },
  };
}

function serverLog() {
  return readFile(path.join(folder, 'server.log'), 'utf8');
}

async function call(method, route, { token, json, form } = {}) {
  const response = await fetch(`${server.baseUrl}/api${route}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    ...(form === undefined ? {} : { body: form }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${route} answered ${response.status}: ${text}`);
  return text === '' ? null : JSON.parse(text);
}

/** @returns a token for each kind of caller; keys, where they do, because those outlive what happens to sessions */
async function createAccounts() {
  const login = async (email) => (await call('POST', '/auth/login', { json: { email, password: PASSWORD } })).token;
  const register = (email) => call('POST', '/auth/register', { json: { email, password: PASSWORD } });
  const keyOf = async (token, scopes) =>
    (await call('POST', '/user/api-keys', { token, json: { name: 'fuzz', scopes } })).key;
  await register('user@fuzz.example');
  await register('leaver@fuzz.example');
  const admin = await login(ADMIN.email);
  await call('POST', '/admin/recharge', { token: admin, json: { email: 'user@fuzz.example', credits: 1_000_000 } });
  return {
    user: await keyOf(await login('user@fuzz.example'), ['read', 'write']),
    admin: await keyOf(admin, ['read', 'write', 'admin']),
    nobody: undefined,
    leaver: await login('leaver@fuzz.example'),
    leavingAdmin: await login(ADMIN.email),
  };
}

/** The pass before may have disabled what jobs run, or bound it to runners that are not there. */
async function restoreCns(token) {
  const { models } = await call('GET', '/admin/models?name=cns', { token });
  const json = { status: 'active', runners: {}, resources: { gpu: 'preferred' } };
  await call('PATCH', `/admin/models/${models[0].id}`, { token, json });
}

/** Some of everything, so that there are ids to ask for. */
async function furnish(token) {
  const [datasets, videos, jobs] = [[], [], []];
  const content = new Blob([await readFile(path.join(ROOT, 'tests/fixtures/media/h264.mp4'))]);
  const parameters = { startFrame: 0, endFrame: 9, frameStep: 1, goalFrameId: 0, detector: 'ORB', useGpus: false };
  for (let number = 0; number < 4; number++) {
    const name = `fuzz ${sent} ${number}`;
    const { dataset } = await call('POST', '/dataset', { token, json: { name, tags: ['fuzz'] } });
    datasets.push(dataset.id);
    const form = new FormData();
    form.set('name', 'a video');
    form.set('type', 'video');
    form.set('content', content, 'video.mp4');
    videos.push((await call('POST', `/dataset/${dataset.id}/videos`, { token, form })).id);
    for (let job = 0; job < 3; job++) {
      const json = { datasetId: dataset.id, range: 'all', parameters };
      jobs.push(...(await call('POST', '/inference', { token, json })).jobId);
    }
  }
  const { webhooks } = await call('GET', '/webhooks', { token });
  for (const { id } of webhooks) await call('DELETE', `/webhooks/${id}`, { token });
  const { webhook } = await call('POST', '/webhooks', { token, json: { url: 'https://hooks.example.com/infernode' } });
  return { datasets, videos, jobs, webhooks: [webhook.id] };
}

async function writeConfiguration({ datasets, videos, jobs, webhooks }) {
  const list = (values) => `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
  await writeFile(
    path.join(folder, 'schemathesis.toml'),
    [
      `[dictionaries.ids]\nvalues = ${list([...datasets, ...jobs, ...webhooks])}`,
      `[dictionaries.videos]\nvalues = ${list(videos)}`,
      `[dictionaries.datasets]\nvalues = ${list(datasets)}`,
      // Nobody has the time to wait for a minute a thousand times.
      `[dictionaries.waits]\nvalues = ["wait=0", "wait=1"]`,
      '[parameters]',
      '"path.id" = { dictionary = "ids", probability = 0.7 }',
      '"path.videoId" = { dictionary = "videos", probability = 0.7 }',
      '"header.Prefer" = { dictionary = "waits", probability = 1.0 }',
      '"query.dataset" = { dictionary = "datasets", probability = 0.5 }',
      '"body.datasetId" = { dictionary = "datasets", probability = 0.7 }',
      '',
    ].join('\n'),
  );
}

async function fuzz(schemathesis, { caller, token, seed, selection }) {
  const args = [
    ...['run', `${server.baseUrl}/api/openapi.json`],
    ...(token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`]),
    ...[
      '--checks',
      CHECKS.join(','),
      '--max-examples',
      '100',
      '--seed',
      String(seed),
      '--continue-on-failure',
      '--no-color',
    ],
    ...selection,
  ];
  console.log(`\n== ${caller}, seed ${seed}`);
  const child = spawn(schemathesis, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const cases = Number(/Test cases:\s+(\d+) generated/.exec(output)?.[1] ?? 0);
  if (cases === 0) throw new Error(`Schemathesis generated nothing:\n${output}`);
  sent += cases;
  if (code !== 0) {
    failed = true;
    console.log(output);
  } else {
    console.log(`${cases} requests, ${sent} so far`);
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function exists(file) {
  return stat(file).then(
    () => true,
    () => false,
  );
}
