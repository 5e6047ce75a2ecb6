import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, type Config } from './load-config.js';

const load = (env: Record<string, string> = {}): Config => loadConfig({ env, cwd: '/somewhere', readDotenv: false });

function problemsOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('runs embedded, with defaults, when nothing is set', () => {
    const config = load();
    expect(config).toMatchObject({
      dataDir: '/somewhere/data',
      privateKeyPath: '/somewhere/keys/private.key',
      database: { kind: 'embedded' },
      queue: { kind: 'postgres' },
    });
    expect(config.settings).toMatchObject({ PORT: 3000, JWT_EXPIRATION: 86_400, INFERENCE_FRAMES_PER_CREDIT: 0 });
    expect(config.engineProcesses).toBeGreaterThanOrEqual(1);
    expect(config.engineThreads).toBeGreaterThanOrEqual(1);
    expect(config).toMatchObject({ workerConcurrency: null, runners: [], hasEmbeddedEngine: true });
  });

  it('takes an empty variable as one that is not set', () => {
    expect(load({ PORT: '', DATABASE_URL: ' ' })).toMatchObject({
      settings: { PORT: 3000 },
      database: { kind: 'embedded' },
    });
  });

  it('takes the database by its URL, by a socket, and by its parts', () => {
    const url = 'postgresql://us%40er:p%2Fw@db.example:5433/my%20db?sslmode=require';
    expect(load({ DATABASE_URL: url }).database).toEqual({
      kind: 'external',
      host: 'db.example',
      port: 5433,
      username: 'us@er',
      password: 'p/w',
      database: 'my db',
      ssl: true,
    });
    expect(load({ DATABASE_URL: 'postgres://me@localhost/db?host=%2Frun%2Fpg' }).database).toMatchObject({
      host: '/run/pg',
      port: 5432,
      ssl: false,
    });
    expect(load({ DB_HOST: 'db', DB_PASSWORD: ' s p ' }).database).toMatchObject({
      host: 'db',
      username: 'postgres',
      password: ' s p ',
      database: 'InferNode',
    });
  });

  it('takes Redis by its URL and by its parts, with a prefix for its keys', () => {
    expect(load({ REDIS_URL: 'redis://r:6380/2' }).queue).toEqual({
      kind: 'redis',
      url: 'redis://r:6380/2',
      prefix: 'infernode',
    });
    const parts = { REDIS_HOST: 'r', REDIS_PASSWORD: 'a:b@c', QUEUE_PREFIX: 'lab-2' };
    expect(load(parts).queue).toEqual({ kind: 'redis', url: 'redis://:a%3Ab%40c@r:6379', prefix: 'lab-2' });
  });

  it.each([
    ['90s', 90],
    ['15m', 900],
    ['24h', 86_400],
    ['7d', 604_800],
    ['120', 120],
  ])('reads the duration %s', (text, seconds) => {
    expect(load({ JWT_EXPIRATION: text }).settings.JWT_EXPIRATION).toBe(seconds);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ PORT: 'http' }, /^PORT: must be a whole number \(is "http"\)$/],
    [{ PORT: '70000' }, /^PORT: .*65535.* \(is "70000"\)$/],
    [{ PORT: '3000 ' }, /^PORT: /],
    [{ JWT_EXPIRATION: '0s' }, /^JWT_EXPIRATION: use a number with a unit/],
    [{ JWT_ALGORITHM: 'HS256' }, /^JWT_ALGORITHM: only RS256/],
    [{ DB_DIALECT: 'mysql' }, /^DB_DIALECT: only postgres/],
    [{ DATABASE_URL: 'mysql://secret@x/y' }, /^DATABASE_URL: must start with postgres:\/\/[^"]*$/],
    [{ DATABASE_URL: 'postgres://host' }, /^DATABASE_URL: the name of the database is missing$/],
    [{ DATABASE_URL: 'postgres://h/d?sslmode=prefer' }, /^DATABASE_URL: sslmode=prefer is not supported/],
    [{ REDIS_URL: 'http://x' }, /^REDIS_URL: must start with redis:/],
    [{ QUEUE_PREFIX: 'a b' }, /^QUEUE_PREFIX: /],
    [{ LOG_LEVEL: 'verbose' }, /^LOG_LEVEL: /],
    [{ ADMIN_EMAIL: 'nobody' }, /^ADMIN_EMAIL: /],
    [{ ADMIN_PASSWORD: 'short' }, /^ADMIN_PASSWORD: [^"]*$/],
    [{ ADMIN_PASSWORD: 'é'.repeat(40) }, /^ADMIN_PASSWORD: has more than the 72 bytes/],
    [{ BCRYPT_COST: '4' }, /^BCRYPT_COST: must be at least 10 outside of tests/],
    [{ JOB_LEASE: '2h' }, /^JOB_LEASE: /],
    [{ CARBON_INTENSITY: '-1' }, /^CARBON_INTENSITY: must be a number/],
    [
      { JWT_PRIVATE_KEY_PATH: './key', JWT_PUBLIC_KEY_PATH: '/somewhere/key' },
      /^JWT_PRIVATE_KEY_PATH, JWT_PUBLIC_KEY_PATH, .+: must differ from each other$/,
    ],
  ])('says in one line what is wrong with %j', (env, line) => {
    const problems = problemsOf(() => load(env));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(line);
    expect(problems[0]).not.toContain('\n');
  });

  it('names everything that is wrong at once', () => {
    const problems = problemsOf(() => load({ PORT: 'x', LOG_LEVEL: 'x', JOB_LEASE: 'x' }));
    expect(problems.map((line) => line.split(':')[0])).toEqual(['PORT', 'LOG_LEVEL', 'JOB_LEASE']);
  });

  describe('with a .env file', () => {
    let cwd: string;
    beforeEach(async () => {
      cwd = await mkdtemp(path.join(os.tmpdir(), 'config-'));
    });
    afterEach(() => rm(cwd, { recursive: true, force: true }));

    const loadFile = async (content: string, env: Record<string, string> = {}): Promise<Config> => {
      await writeFile(path.join(cwd, '.env'), content);
      return loadConfig({ env, cwd, readDotenv: true });
    };

    it('reads it; the environment wins', async () => {
      const { settings } = await loadFile('PORT=4000\nHOST="::1" # a comment\n', { PORT: '5000' });
      expect([settings.PORT, settings.HOST]).toEqual([5000, '::1']);
    });

    it('does without one', () => {
      expect(loadConfig({ env: {}, cwd, readDotenv: true }).settings.PORT).toBe(3000);
    });

    it('refuses names that do not exist, and suggests the one that was meant', async () => {
      await expect(loadFile('PROT=1\nport=1\nSOMETHING_ELSE=1')).rejects.toMatchObject({
        problems: [
          'PROT: there is no such setting (in .env); did you mean PORT?',
          'port: there is no such setting (in .env); did you mean PORT?',
          'SOMETHING_ELSE: there is no such setting (in .env)',
        ],
      });
    });

    it('does not mind other programs’ variables in the environment', async () => {
      await expect(loadFile('', { SOMETHING_ELSE: '1', PROT: '2' })).resolves.toBeDefined();
    });
  });
});
