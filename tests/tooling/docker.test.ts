import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import spectralParsers from '@stoplight/spectral-parsers';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/platform/config/config.schema.js';
import { PROCESS_ROLES } from '../../src/processes/role.js';
import { ROUTES } from '../../src/contract/routes.js';

/** What the image and the compose file say of the project is true of it; whether they run takes an engine. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const packageJson = JSON.parse(read('package.json')) as {
  engines: { node: string };
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
};

interface Service {
  image?: string;
  container_name?: string;
  build?: { target: string; dockerfile?: string };
  command?: string[];
  environment?: Record<string, string>;
  env_file?: { path: string; required: boolean }[];
  volumes?: string[];
  ports?: string[];
  profiles?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
}

interface Compose {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
}

const compose = spectralParsers.Yaml.parse(read('docker-compose.yml')).data as Compose;
/** Instructions with their arguments, continued lines joined. */
const instructionsOf = (file: string) =>
  read(file)
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ name: line.split(' ')[0], text: line.slice(line.indexOf(' ') + 1).trim() }));
const instructions = instructionsOf('Dockerfile');
const modelServer = instructionsOf('deploy/model-server/Dockerfile');
const production = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));

describe('D6.2 the image', () => {
  it('stands on an exact version of a Node.js that the project supports (D6.6)', () => {
    const [, version, major] = /^NODE_IMAGE=node:((\d+)\.\d+\.\d+)-[a-z]+-slim$/.exec(instructions[0].text) ?? [];
    expect(version).toBeDefined();
    expect(Number(major)).toBeGreaterThanOrEqual(Number(/\d+/.exec(packageJson.engines.node)?.[0]));
    expect(Number(major)).toBeGreaterThanOrEqual(18);
  });

  it('copies what is there', () => {
    for (const { text } of instructions.filter(
      ({ name, text: rest }) => name === 'COPY' && !rest.includes('--from='),
    )) {
      const sources = text
        .split(/\s+/)
        .filter((word) => !word.startsWith('--'))
        .slice(0, -1);
      for (const source of sources) expect(existsSync(path.join(root, source)), source).toBe(true);
    }
  });

  it('runs npm scripts that exist', () => {
    const scripts = [...read('Dockerfile').matchAll(/npm", "run", "([\w:]+)"|npm run ([\w:]+)/g)];
    expect(scripts.length).toBeGreaterThan(2);
    for (const [, first, second] of scripts) expect(Object.keys(packageJson.scripts)).toContain(first ?? second);
  });

  it('ends as an unprivileged user, without development tools, with a health check that asks a real route', () => {
    const lastUser = production.findLast(({ name }) => name === 'USER');
    expect(lastUser?.text).toBe('1000:1000');
    const installed = instructions.filter(({ name, text }) => name === 'RUN' && text.startsWith('npm ci'));
    expect(installed.at(-1)?.text).toContain('--omit=dev');
    expect(production.some(({ text }) => text.includes('--from=production-dependencies'))).toBe(true);
    const asked = /\/api(\/\w+)/.exec(instructions.find(({ name }) => name === 'HEALTHCHECK')?.text ?? '')?.[1];
    expect(ROUTES.find(({ path: route }) => route === asked)?.access).toBe('none');
    expect(JSON.parse(production.find(({ name }) => name === 'CMD')?.text ?? '')).toEqual(['all']);
  });

  it('can migrate and seed: sequelize-cli is installed, and its files are there (D6.3)', () => {
    expect(packageJson.dependencies).toHaveProperty('sequelize-cli');
    const copied = production
      .filter(({ name }) => name === 'COPY')
      .map(({ text }) => text)
      .join(' ');
    for (const needed of ['.sequelizerc', 'migrations', 'seeders', 'src/platform/database/cli-config.cjs']) {
      expect(copied).toContain(needed);
    }
  });

  it('takes no secrets and nothing that was built on the host', () => {
    const ignored = read('.dockerignore').split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['.env', '.git', 'node_modules', 'dist', 'data', 'keys/*.key']));
  });
});

describe('the image of the model server', () => {
  it('stands on exact versions, copies what is there, installs by the lock files', () => {
    for (const { text } of modelServer.filter(({ name }) => name === 'ARG')) expect(text).toMatch(/:[\w.-]*\d[\w.-]*$/);
    for (const { text } of modelServer.filter(({ name, text: rest }) => name === 'COPY' && !rest.includes('--from='))) {
      for (const source of text.split(/\s+/).slice(0, -1))
        expect(existsSync(path.join(root, source)), source).toBe(true);
    }
    for (const { text } of modelServer.filter(
      ({ name, text: rest }) => name === 'RUN' && rest.includes('pip install'),
    )) {
      expect(text).toContain('--require-hashes');
    }
  });

  it('ends as an unprivileged user that writes to its volume alone, and asks its own health', () => {
    const ends = modelServer.map(({ name }, at) => (name === 'FROM' ? at : -1)).filter((at) => at > 0);
    for (const stage of [modelServer.slice(ends.at(-2), ends.at(-1)), modelServer.slice(ends.at(-1))]) {
      expect(stage.findLast(({ name }) => name === 'USER')?.text).toBe('1000:1000');
      expect(stage.find(({ name }) => name === 'HEALTHCHECK')?.text).toContain('/health');
      expect(stage.find(({ name }) => name === 'VOLUME')?.text).toBe('/data');
    }
  });
});

describe('D6.2 docker-compose.yml', () => {
  const { app, worker, scheduler, postgres, redis } = compose.services;
  const own = [app, worker, scheduler];

  it('names the container as the commands of the docs do (D6.3, D6.4)', () => {
    expect(app.container_name).toBe('infernode-app');
    // A name can be given once: those that are scaled have none.
    expect([worker.container_name, scheduler.container_name]).toEqual([undefined, undefined]);
  });

  it('mounts src and tsconfig.json into the development image, where edits reload (D6.5)', () => {
    expect(app.build?.target).toBe('development');
    expect(instructions.some(({ name, text }) => name === 'FROM' && text.endsWith(' AS development'))).toBe(true);
    expect(packageJson.scripts['dev']).toContain('tsx watch src/main.ts all');
    expect(app.volumes).toEqual(expect.arrayContaining(['./src:/app/src', './tsconfig.json:/app/tsconfig.json:ro']));
  });

  it('mounts what is there, and declares the rest', () => {
    for (const service of Object.values(compose.services)) {
      for (const [source] of (service.volumes ?? []).map((volume) => volume.split(':'))) {
        if (source.startsWith('.')) expect(existsSync(path.join(root, source)), source).toBe(true);
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
    }
    // Docker would make a missing folder, as root.
    expect(execFileSync('git', ['ls-files', 'keys'], { cwd: root, encoding: 'utf8' })).not.toBe('');
  });

  it('speaks of settings that exist, and of the services by their names', () => {
    for (const { environment = {}, env_file } of own) {
      for (const name of Object.keys(environment)) expect(Object.keys(SETTINGS)).toContain(name);
      expect(environment['DB_HOST']).toBe('postgres');
      expect(environment['REDIS_HOST']).toBe('redis');
      expect(env_file).toEqual([{ path: '.env', required: false }]);
    }
    for (const name of read('docker-compose.yml').matchAll(/\$\{(\w+)/g)) {
      expect([...Object.keys(SETTINGS), 'APP_UID']).toContain(name[1]);
    }
  });

  it('waits for what it needs, at exact versions', () => {
    expect(app.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
    });
    for (const service of [postgres, redis]) expect(service.healthcheck?.test).toBeDefined();
    for (const { image, build } of Object.values(compose.services)) {
      if (build === undefined && image !== 'infernode:development')
        expect(image).toMatch(/:v?\d+\.\d+(\.\d+)?(-\w+)?$/);
    }
  });

  it('adds workers and monitoring by profile, in roles that exist', () => {
    for (const service of [worker, scheduler]) {
      expect(service.profiles).toEqual(['workers']);
      expect(PROCESS_ROLES).toContain(service.command?.at(-1));
      expect(service.ports).toBeUndefined();
    }
    const monitored = Object.values(compose.services).filter(({ profiles }) => profiles?.includes('monitoring'));
    expect(monitored.length).toBeGreaterThan(0);
  });

  it('adds a model server by profile, on the CPU or a GPU, from stages that there are', () => {
    const stages = new Set(modelServer.filter(({ name }) => name === 'FROM').map(({ text }) => text.split(' AS ')[1]));
    for (const [name, target] of [
      ['model-server', 'cpu'],
      ['model-server-gpu', 'gpu'],
    ]) {
      const service = compose.services[name];
      expect(service.profiles).toEqual([name]);
      expect(service.build).toMatchObject({ dockerfile: 'deploy/model-server/Dockerfile', target });
      expect(stages).toContain(target);
      expect(service.ports).toBeUndefined();
    }
  });

  it('scrapes services that it has', () => {
    const { data } = spectralParsers.Yaml.parse(read('deploy/monitoring/prometheus.yml'));
    const { scrape_configs } = data as { scrape_configs: { static_configs: { targets: string[] }[] }[] };
    for (const target of scrape_configs.flatMap(({ static_configs }) =>
      static_configs.flatMap(({ targets }) => targets),
    )) {
      expect(Object.keys(compose.services)).toContain(target.split(':')[0]);
    }
  });
});
