import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** A small project around the real scripts; its one dependency is a folder, so that npm needs no registry. */
const root = fileURLToPath(new URL('../..', import.meta.url));

describe('ensure-ready', () => {
  let project: string;
  const at = (...parts: string[]) => path.join(project, ...parts);

  beforeEach(async () => {
    project = await mkdtemp(path.join(tmpdir(), 'infernode-ready-'));
    await cp(path.join(root, 'scripts/setup'), at('scripts/setup'), { recursive: true });
    await cp(path.join(root, 'scripts/ensure-ready.mjs'), at('scripts/ensure-ready.mjs'));
    await mkdir(at('src'));
    await writeFile(at('src/main.ts'), 'export {};\n');
    await mkdir(at('tool'));
    await writeFile(at('tool/package.json'), JSON.stringify({ name: 'tool', version: '1.0.0' }));
    const build = `node -e "fs.mkdirSync('dist');fs.appendFileSync('builds','x')"`;
    const manifest = { name: 'fixture', version: '1.0.0', devDependencies: { tool: 'file:tool' } };
    await writeFile(at('package.json'), JSON.stringify({ ...manifest, scripts: { build } }));
    await writeLock('1.0.0');
  });

  afterEach(() => rm(project, { recursive: true, force: true }));

  async function writeLock(version: string): Promise<void> {
    const packages = {
      '': { name: 'fixture', version, devDependencies: { tool: 'file:tool' } },
      'node_modules/tool': { resolved: 'tool', link: true },
      tool: { version: '1.0.0', dev: true },
    };
    const lock = { name: 'fixture', version, lockfileVersion: 3, requires: true, packages };
    await writeFile(at('package-lock.json'), JSON.stringify(lock));
  }

  function ensureReady(
    args: string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ code: number | null; output: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [at('scripts/ensure-ready.mjs'), ...args], {
        cwd: project,
        env: { ...process.env, CI: 'true', npm_config_cache: at('npm-cache'), ...env },
        timeout: 60_000,
      });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, output }));
    });
  }

  const exists = (...parts: string[]) =>
    stat(at(...parts)).then(
      () => true,
      () => false,
    );

  it('installs once, says so in one line, and is silent from then on', async () => {
    expect(await ensureReady()).toEqual({
      code: 0,
      output: expect.stringMatching(/^Installing dependencies … [\d.]+ s\n$/),
    });
    expect(await exists('node_modules/tool')).toBe(true);
    expect(await ensureReady()).toEqual({ code: 0, output: '' });
  });

  it('installs again when the lock file has changed', async () => {
    await ensureReady();
    await writeLock('1.0.1');
    expect((await ensureReady()).output).toContain('Installing dependencies');
    expect((await ensureReady()).output).toBe('');
  });

  it('installs development tools for a build although NODE_ENV is production', async () => {
    const { code } = await ensureReady(['--build'], { NODE_ENV: 'production', npm_config_omit: 'dev' });
    expect(code).toBe(0);
    expect(await exists('node_modules/tool')).toBe(true);
  });

  it('builds when sources change in content, not in time', async () => {
    // The compiler's presence is what tells a checkout from an image.
    await ensureReady();
    await mkdir(at('node_modules/assemblyscript'));
    await writeFile(at('node_modules/assemblyscript/package.json'), '{}');
    const builds = () => readFile(at('builds'), 'utf8');

    expect((await ensureReady(['--build'])).output).toMatch(/^Building … [\d.]+ s\n$/);
    await writeFile(at('src/main.ts'), 'export {};\n');
    expect((await ensureReady(['--build'])).output).toBe('');
    expect(await builds()).toBe('x');
    await writeFile(at('src/main.ts'), 'export const changed = true;\n');
    await ensureReady(['--build']);
    expect(await builds()).toBe('xx');
  });

  it('leaves an image without development tools as it is', async () => {
    await mkdir(at('dist'));
    await mkdir(at('node_modules'));
    const installed = { packages: { 'node_modules/express': { version: '5.0.0' } } };
    await writeFile(at('node_modules/.package-lock.json'), JSON.stringify(installed));
    expect(await ensureReady(['--build'])).toEqual({ code: 0, output: '' });
    expect(await exists('node_modules/tool')).toBe(false);
  });

  it('repairs what an installation that was cut off has left of a built checkout', async () => {
    await mkdir(at('dist'));
    await mkdir(at('node_modules'));
    expect((await ensureReady(['--build'])).output).toContain('Installing dependencies');
    expect(await exists('node_modules/tool')).toBe(true);
  });

  it('shows what npm said when it fails, and leaves no lock behind', async () => {
    await writeFile(
      at('package-lock.json'),
      JSON.stringify({ name: 'fixture', lockfileVersion: 3, packages: { '': {} } }),
    );
    const { code, output } = await ensureReady();
    expect(code).toBe(1);
    expect(output).toContain('npm error');
    expect(output).toContain('ended with exit code 1');
    expect(await exists('.ensure-ready.lock')).toBe(false);
  });

  it('does the work once when three start at the same time', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => ensureReady()));
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(runs.filter(({ output }) => output.includes('Installing'))).toHaveLength(1);
    expect(await exists('.ensure-ready.lock')).toBe(false);
  });

  it('takes over at once from a set-up that was killed', async () => {
    const ended = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => ended.once('close', resolve));
    await writeFile(at('.ensure-ready.lock'), JSON.stringify({ token: 'gone', host: hostname(), pids: [ended.pid] }));
    const runs = await Promise.all([1, 2, 3].map(() => ensureReady()));
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(runs.filter(({ output }) => output.includes('Installing'))).toHaveLength(1);
  });
});
