import { z } from 'zod';
import { runnerSettings } from './runner-settings.js';

const DURATION_UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** `90s`, `15m`, `24h`, `7d`, or a bare number of seconds; becomes seconds. */
const duration = z
  .string()
  .regex(/^[1-9]\d{0,8}[smhd]?$/, 'use a number with a unit, for example 90s, 15m, 24h or 7d')
  .transform((text) => {
    const unit = text.at(-1) as keyof typeof DURATION_UNITS;
    return unit in DURATION_UNITS ? Number(text.slice(0, -1)) * DURATION_UNITS[unit] : Number(text);
  });

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max));

const decimal = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number')
    .transform(Number)
    .pipe(z.number().min(min).max(max));

/** `https://app.example, https://other.example:8443`, or `*`. */
const origins = z.string().transform((text, context): '*' | string[] => {
  if (text.trim() === '*') return '*';
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (URL.canParse(name) && /^https?:$/.test(new URL(name).protocol) && new URL(name).origin === name) continue;
    context.addIssue({ code: 'custom', message: 'use * or origins such as https://app.example, separated by commas' });
    return z.NEVER;
  }
  return names;
});

const flag = z.enum(['true', 'false'], 'use true or false').transform((text) => text === 'true');

/** `5s,5m,2h`; becomes seconds. */
const durations = z
  .string()
  .transform((list) => list.split(',').map((item) => item.trim()))
  .pipe(z.array(duration).min(1).max(20));

/** `true`, `false`, or networks in CIDR notation; becomes a boolean or a list. */
const networks = z
  .string()
  .transform((value) =>
    value === 'true' || value === 'false' ? value === 'true' : value.split(',').map((item) => item.trim()),
  )
  .pipe(
    z.union([z.boolean(), z.array(z.union([z.cidrv4(), z.cidrv6()]))], 'use true, false, or networks like 10.0.0.0/8'),
  );

const port = wholeNumber(0, 65_535);
const text = z.string().trim().min(1);
const password = z.string().min(1);

export interface Setting {
  schema: z.ZodType<unknown, string>;
  /** As it would stand in `.env`; absent where the variable has no default. */
  default?: string;
  /** One line for `.env.example` and the settings page. */
  description: string;
  group:
    | 'Server'
    | 'Accounts'
    | 'Database'
    | 'Queue'
    | 'Model servers'
    | 'Engine'
    | 'Jobs'
    | 'Webhooks'
    | 'Credits'
    | 'Carbon';
  secret?: boolean;
}

const define = <const T extends Record<string, Setting>>(settings: T): T => settings;

/** Every setting there is. `.env.example` and `docs/reference/settings.md` are generated from this table. */
export const SETTINGS = define({
  PORT: {
    group: 'Server',
    schema: port,
    default: '3000',
    description: 'TCP port of the HTTP server; 0 picks a free one.',
  },
  HOST: { group: 'Server', schema: text, default: '0.0.0.0', description: 'Address the HTTP server listens on.' },
  NODE_ENV: {
    group: 'Server',
    schema: z.enum(['development', 'production', 'test']),
    default: 'development',
    description: '`production` logs JSON, `development` logs for people.',
  },
  API_VERSION: {
    group: 'Server',
    schema: z.string().regex(/^v\d+$/, 'must look like v1'),
    default: 'v1',
    description: 'Alias of the API: `/api/v1/…` answers like `/api/…`.',
  },
  DATA_DIR: {
    group: 'Server',
    schema: text,
    default: './data',
    description: 'Everything embedded lives here: database, videos, results, scratch files.',
  },
  LOG_LEVEL: {
    group: 'Server',
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
    default: 'info',
    description: 'Least severe level that is logged.',
  },
  TRUST_PROXY_HOPS: {
    group: 'Server',
    schema: wholeNumber(0, 10),
    default: '0',
    description: 'Reverse proxies in front whose `X-Forwarded-For` is believed.',
  },
  SHUTDOWN_TIMEOUT: {
    group: 'Server',
    schema: duration,
    default: '30s',
    description: 'Longest orderly shutdown after SIGTERM; then the process ends all the same.',
  },
  MAX_UPLOAD_BYTES: {
    group: 'Server',
    schema: wholeNumber(1, Number.MAX_SAFE_INTEGER),
    default: '2147483648',
    description: 'Largest file that is accepted, and the most that an archive may unpack to.',
  },
  DELETED_RETENTION: {
    group: 'Server',
    schema: duration,
    default: '7d',
    description:
      'How long the files of deleted videos and datasets are kept; jobs that wait or run keep theirs longer.',
  },
  CORS_ORIGINS: {
    group: 'Server',
    schema: origins,
    description:
      'Origins whose pages may use the API and the WebSocket: `https://app.example,…`, or `*`. Default: none.',
  },
  RATE_LIMIT_PER_ADDRESS: {
    group: 'Server',
    schema: wholeNumber(0, 1_000_000_000),
    default: '1200',
    description:
      'Requests per minute from one address without a valid token, and as many handshakes of WebSockets, per process; 0: any number.',
  },
  RATE_LIMIT_PER_USER: {
    group: 'Server',
    schema: wholeNumber(0, 1_000_000_000),
    default: '6000',
    description: 'Requests per minute of one user, per process; 0: any number.',
  },
  UPLOAD_EXPIRY: {
    group: 'Server',
    schema: duration,
    default: '24h',
    description: 'How long a resumable upload may take, and how long its outcome can be asked for.',
  },
  IDEMPOTENCY_RETENTION: {
    group: 'Server',
    schema: duration,
    default: '24h',
    description: 'How long the answer to a request with an Idempotency-Key is kept at least.',
  },
  EVENT_STREAMS_PER_USER: {
    group: 'Server',
    schema: wholeNumber(1, 100_000),
    default: '100',
    description: 'WebSockets, and as many event streams, that one user may have open on a process.',
  },
  EVENT_RETENTION: {
    group: 'Server',
    schema: duration,
    default: '30d',
    description: 'How long entries of the event log and of the logs of webhooks are kept.',
  },
  SECRETS_KEY_PATH: {
    group: 'Server',
    schema: text,
    default: './keys/secrets.key',
    description: 'Key that seals secrets in the database. Made on first start; the same for all processes.',
  },
  RECEIPT_KEY_PATH: {
    group: 'Server',
    schema: text,
    default: './keys/receipt.key',
    description: 'Private Ed25519 key (PEM) that signs receipts; made on first start.',
  },
  JWT_EXPIRATION: {
    group: 'Accounts',
    schema: duration,
    default: '24h',
    description: 'How long an access token is valid.',
  },
  REFRESH_EXPIRATION: {
    group: 'Accounts',
    schema: duration,
    default: '30d',
    description: 'A login that is not refreshed for so long ends.',
  },
  SESSION_EXPIRATION: {
    group: 'Accounts',
    schema: duration,
    default: '180d',
    description: 'A login ends after so long, however often it is refreshed.',
  },
  JWT_PRIVATE_KEY_PATH: {
    group: 'Accounts',
    schema: text,
    default: './keys/private.key',
    description: 'RSA key that signs tokens (PEM). Made on first start when both files are missing.',
  },
  JWT_PUBLIC_KEY_PATH: {
    group: 'Accounts',
    schema: text,
    default: './keys/public.key',
    description: 'Its public half (PEM).',
  },
  JWT_PREVIOUS_PUBLIC_KEY_PATH: {
    group: 'Accounts',
    schema: text,
    default: './keys/previous-public.key',
    description:
      'Public half (PEM) of the key before the last rotation; its tokens count until JWT_EXPIRATION has gone by since.',
  },
  JWT_ALGORITHM: {
    group: 'Accounts',
    schema: z.literal('RS256', { error: 'only RS256 is supported' }),
    default: 'RS256',
    description: 'Signature algorithm; only RS256.',
  },
  BCRYPT_COST: {
    group: 'Accounts',
    schema: wholeNumber(4, 15),
    default: '12',
    description: 'Work factor of password hashes; below 10 only with NODE_ENV=test.',
  },
  AUTH_RATE_LIMIT: {
    group: 'Accounts',
    schema: wholeNumber(1, 1_000_000),
    default: '5',
    description:
      'Failed logins in a row for one account from one address before a growing lock; ten times as many from all addresses, twenty times as many for all accounts from one address.',
  },
  ADMIN_EMAIL: {
    group: 'Accounts',
    schema: z.email(),
    default: 'admin@infernode.local',
    description: 'First administrator, created when there is none.',
  },
  ADMIN_PASSWORD: {
    group: 'Accounts',
    schema: z.string().min(8),
    secret: true,
    description: 'Password of the first administrator. Left out: a random one, printed once.',
  },
  DATABASE_URL: {
    group: 'Database',
    schema: z.string().regex(/^postgres(ql)?:\/\/.+/, 'must start with postgres:// or postgresql://'),
    secret: true,
    description: 'PostgreSQL to use. Without it and without DB_HOST an embedded one runs under DATA_DIR.',
  },
  DB_HOST: { group: 'Database', schema: text, description: 'PostgreSQL by its parts instead of a URL.' },
  DB_PORT: { group: 'Database', schema: port, default: '5432', description: 'Used with DB_HOST.' },
  DB_USERNAME: { group: 'Database', schema: text, default: 'postgres', description: 'Used with DB_HOST.' },
  DB_PASSWORD: { group: 'Database', schema: password, secret: true, description: 'Used with DB_HOST.' },
  DB_NAME: { group: 'Database', schema: text, default: 'InferNode', description: 'Used with DB_HOST.' },
  DB_DIALECT: {
    group: 'Database',
    schema: z.literal('postgres', { error: 'only postgres is supported' }),
    default: 'postgres',
    description: 'Only postgres.',
  },
  DB_POOL_SIZE: {
    group: 'Database',
    schema: wholeNumber(2, 200),
    default: '16',
    description: 'Connections a process keeps for its own queries; the queue has about as many more.',
  },
  REDIS_URL: {
    group: 'Queue',
    schema: z.string().regex(/^rediss?:\/\/.+/, 'must start with redis:// or rediss://'),
    secret: true,
    description: 'Redis for the queue. Without it and without REDIS_HOST the queue lives in PostgreSQL.',
  },
  REDIS_HOST: { group: 'Queue', schema: text, description: 'Redis by its parts instead of a URL.' },
  REDIS_PORT: { group: 'Queue', schema: port, default: '6379', description: 'Used with REDIS_HOST.' },
  REDIS_PASSWORD: { group: 'Queue', schema: password, secret: true, description: 'Used with REDIS_HOST.' },
  QUEUE_PREFIX: {
    group: 'Queue',
    schema: z.string().regex(/^[\w-]{1,64}$/, 'use up to 64 letters, digits, - and _'),
    default: 'infernode',
    description: 'Start of every key on Redis: keeps installations that share one Redis apart.',
  },
  QUEUE_BOARD_READ_ONLY: {
    group: 'Queue',
    schema: flag,
    default: 'true',
    description: 'Administrators can look at queues at `/api/admin/queues`, and with `false` change them too.',
  },
  FASTAPI_HOST: {
    group: 'Model servers',
    schema: text,
    description: 'A FastAPI model server, as the runner `fastapi`; more of them, and other kinds: RUNNERS.',
  },
  FASTAPI_PORT: {
    group: 'Model servers',
    schema: wholeNumber(1, 65_535),
    default: '8000',
    description: 'Used with FASTAPI_HOST.',
  },
  RUNNERS: {
    group: 'Model servers',
    schema: runnerSettings,
    secret: true,
    description:
      'Model servers, a list in JSON: `[{"name":"gpu-1","kind":"fastapi","url":"http://gpu-1:8000","token":"…","slots":2,"models":["cns"]}]`; the last three may be left out. Kinds: `fastapi`, `kserve`. The same for all processes.',
  },
  EMBEDDED_ENGINE: {
    group: 'Model servers',
    schema: z.enum(['auto', 'on', 'off'], 'use auto, on or off'),
    default: 'auto',
    description: 'Whether workers bring an engine of their own. `auto`: where no model server is set.',
  },
  RUNNER_CHECK_INTERVAL: {
    group: 'Model servers',
    schema: duration.pipe(z.number().min(1).max(3600)),
    default: '10s',
    description: 'How often each model server is asked how it is.',
  },
  RUNNER_BREAKER_FAILURES: {
    group: 'Model servers',
    schema: wholeNumber(1, 1_000),
    default: '5',
    description: 'Failures in a row after which a model server gets no jobs for a while.',
  },
  RUNNER_BREAKER_PAUSE: {
    group: 'Model servers',
    schema: duration.pipe(z.number().min(1).max(3600)),
    default: '10s',
    description: 'How long; then one job tries it. Doubles with each further failure, up to ten minutes.',
  },
  ENGINE_PROCESSES: {
    group: 'Engine',
    schema: wholeNumber(1, 256),
    description:
      'Processes of the embedded engine, one job each. Default: one less than there are cores, and one for each 1.5 GiB of memory at most.',
  },
  ENGINE_THREADS: {
    group: 'Engine',
    schema: wholeNumber(1, 64),
    description:
      'Threads of each engine process that look at frames of its job, several at a time. Default: so many that processes × threads fill the cores, and one for each 1.5 GiB of memory at most.',
  },
  ENGINE_PICTURES_MAX_BYTES: {
    group: 'Engine',
    schema: wholeNumber(1, Number.MAX_SAFE_INTEGER),
    default: '2147483648',
    description:
      'Bytes that the pictures of one job may take; behind that, a job that asks for all of them gets a sample, and its result says so. While the job runs, they are on the disk twice.',
  },
  FFMPEG_PATH: {
    group: 'Engine',
    schema: text,
    description: 'A system ffmpeg (ffprobe beside it) to decode with instead of the bundled library.',
  },
  CNS_WEIGHTS: {
    group: 'Engine',
    schema: text,
    description:
      'Weights of the CNS network, a .safetensors or .onnx file (docs/how-to/cns-weights.md). With them jobs use the policy `cns` unless they say otherwise.',
  },
  WORKER_CONCURRENCY: {
    group: 'Jobs',
    schema: wholeNumber(1, 256),
    description:
      'Jobs a worker process works on at a time. Default: as many as its engine and the model servers have slots.',
  },
  JOB_MAX_ATTEMPTS: {
    group: 'Jobs',
    schema: wholeNumber(1, 20),
    default: '3',
    description: 'Attempts before a job that keeps failing for a passing reason is FAILED.',
  },
  JOB_BACKOFF: {
    group: 'Jobs',
    schema: duration,
    default: '2s',
    description: 'Wait before the second attempt; doubles each time, with up to 50 % jitter.',
  },
  JOB_LEASE: {
    group: 'Jobs',
    schema: duration.pipe(z.number().min(1).max(3600)),
    default: '10s',
    description: 'A worker silent for this long has lost its job to the next one.',
  },
  JOB_TIMEOUT: { group: 'Jobs', schema: duration, default: '6h', description: 'Longest time one attempt may take.' },
  RESULT_RETENTION: {
    group: 'Jobs',
    schema: duration,
    description: 'How long the result of a job is kept, for example 30d. Left out: until its owner deletes it.',
  },
  CHECKPOINT_RETENTION: {
    group: 'Jobs',
    schema: duration,
    default: '24h',
    description: 'How long a job that failed or was cancelled can be retried from where it stopped.',
  },
  RECONCILE_INTERVAL: {
    group: 'Jobs',
    schema: duration,
    default: '2s',
    description: 'How often the scheduler looks for jobs the queue or a worker has lost.',
  },
  WEBHOOKS_PER_USER: {
    group: 'Webhooks',
    schema: wholeNumber(0, 10_000),
    default: '20',
    description: 'Webhooks an account may have.',
  },
  WEBHOOK_TIMEOUT: {
    group: 'Webhooks',
    schema: duration.pipe(z.number().min(1).max(300)),
    default: '15s',
    description: 'How long a receiver may take for its whole answer.',
  },
  WEBHOOK_RETRY_SCHEDULE: {
    group: 'Webhooks',
    schema: durations,
    default: '5s,5m,30m,2h,5h,10h,14h,20h,24h',
    description:
      'Waits between the attempts at a delivery, each with up to 20 % jitter; after the last one it has failed.',
  },
  WEBHOOK_DISABLE_AFTER: {
    group: 'Webhooks',
    schema: duration,
    default: '5d',
    description: 'A webhook that takes nothing for so long is switched off.',
  },
  WEBHOOK_SECRET_OVERLAP: {
    group: 'Webhooks',
    schema: duration,
    default: '24h',
    description: 'How long the old secret signs as well after a rotation.',
  },
  WEBHOOK_ALLOW_HTTP: {
    group: 'Webhooks',
    schema: flag,
    default: 'false',
    description: '`true` allows receivers without TLS.',
  },
  WEBHOOK_ALLOW_PRIVATE_NETWORKS: {
    group: 'Webhooks',
    schema: networks,
    default: 'false',
    description: 'Networks behind our own door that receivers may be in: `10.0.0.0/8,::1/128`, or `true` for all.',
  },
  SIGNUP_CREDITS: {
    group: 'Credits',
    schema: wholeNumber(0, 1_000_000_000),
    default: '100',
    description: 'Credits of a new account.',
  },
  UPLOAD_FRAMES_PER_CREDIT: {
    group: 'Credits',
    schema: wholeNumber(0, 1_000_000_000),
    default: '150',
    description: 'Frames of an uploaded video that cost one credit (rounded up); 0 makes uploads free.',
  },
  INFERENCE_FRAMES_PER_CREDIT: {
    group: 'Credits',
    schema: wholeNumber(0, 1_000_000_000),
    default: '0',
    description: 'Processed frames that cost one credit (rounded up); 0 makes inference free.',
  },
  CARBON_INTENSITY: {
    group: 'Carbon',
    schema: decimal(0, 5000),
    description: 'Grid intensity of your own, grams CO2e per kWh, instead of the average of `CARBON_REGION`.',
  },
  CARBON_REGION: {
    group: 'Carbon',
    schema: text,
    default: 'WORLD',
    description:
      'Grid that the machines draw from: an ISO 3166-1 country code, or `WORLD`; yearly averages by Ember and the Energy Institute.',
  },
  CPU_WATTS_PER_CORE: {
    group: 'Carbon',
    schema: decimal(0, 1000),
    default: '10',
    description: 'Electric power of one busy core, for estimates where no meter can be read.',
  },
  GPU_WATTS: {
    group: 'Carbon',
    schema: decimal(0, 10_000),
    default: '300',
    description: 'Electric power of one busy GPU, for estimates: its TDP.',
  },
  MEMORY_WATTS_PER_GIB: {
    group: 'Carbon',
    schema: decimal(0, 100),
    default: '0.4',
    description: 'Electric power of memory, for estimates (0.3725 W per GB: Green Algorithms, 2021).',
  },
});

export type SettingName = keyof typeof SETTINGS;

type Parsed<S extends Setting> = S extends { default: string }
  ? z.output<S['schema']>
  : z.output<S['schema']> | undefined;

/** All settings by name, checked and converted. */
export type Settings = { readonly [K in SettingName]: Parsed<(typeof SETTINGS)[K]> };
