import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { CHECKS } from '../../src/runners/conformance/checks/all.checks.js';
import type { Verdict } from '../../src/runners/conformance/conformance.js';
import { startConformingServer } from '../support/model-servers/conforming-server.js';
import type { FastApiServer, FastApiServerOptions } from '../support/model-servers/fastapi-server.js';
import { runToEnd, startCommand, type FinishedCommand } from '../support/server-process.js';
import { until } from '../support/wait.js';

interface Report {
  conforms: boolean;
  interrupted: boolean;
  runner: { kind: string; slots: number };
  verdicts: Verdict[];
}

describe('infernode runner test', () => {
  const servers: FastApiServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  const serve = async (options: FastApiServerOptions = {}): Promise<FastApiServer> => {
    const server = await startConformingServer(options);
    servers.push(server);
    return server;
  };
  const environment = (more: Record<string, string>) => ({ PATH: process.env['PATH'] ?? '', ...more });
  const test = (words: readonly string[], env: Record<string, string> = {}): Promise<FinishedCommand> =>
    runToEnd(['runner', 'test', ...words], { env: environment(env), cwd: tmpdir() });

  it('prints a line per promise for a server that keeps all of them, without colours where nobody looks', async () => {
    const { url } = await serve();
    const { code, stdout, stderr } = await test([url.href]);
    expect([code, stderr]).toEqual([0, '']);
    for (const { title } of CHECKS) expect(stdout).toContain(title);
    expect(stdout.match(/^ {2}✓/gm)).toHaveLength(CHECKS.length);
    expect(stdout).not.toContain('\x1b');
    expect(stdout).toMatch(/\d+ passed, none failed/);
  });

  it('says the same in JSON to programs', async () => {
    const { url } = await serve({ token: 'secret-of-the-server', slots: 2 });
    const { code, stdout } = await test([url.href, '--json'], { RUNNER_TOKEN: 'secret-of-the-server' });
    const report = JSON.parse(stdout) as Report;
    expect(code).toBe(0);
    expect(report).toMatchObject({ conforms: true, interrupted: false, runner: { kind: 'fastapi', slots: 2 } });
    expect(report.verdicts.map(({ name }) => name)).toEqual(CHECKS.map(({ name }) => name));
    expect(stdout).not.toContain('secret-of-the-server');
  });

  it('finds what is broken, and ends with 1', async () => {
    const { url } = await serve({ fault: 'too-few-rows' });
    const { code, stdout } = await test([url.href, '--only', 'health,rows']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ returns one finite row per processed frame .*RunnerProtocolError/);
    expect(stdout).toMatch(/1 passed, 1 failed/);
  });

  it('says so at once where nobody listens', async () => {
    const unused = createServer().listen(0, '127.0.0.1');
    await once(unused, 'listening');
    const { port } = unused.address() as AddressInfo;
    unused.close();
    const { code, stdout } = await test([`http://127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ says that it is ready .*UNHEALTHY/);
    expect(stdout).toContain('The runner is not ready.');
  });

  it('says so where the token is not taken', async () => {
    const { url } = await serve({ token: 'right' });
    const { code, stdout } = await test([url.href, '--token', 'wrong', '--only', 'health']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ says that it is ready .*401/);
  });

  it.each([
    ['what is no address', ['gpu-1'], /"gpu-1" is no address/],
    ['an address of another kind', ['ftp://gpu-1'], /No model server is reached by ftp: addresses/],
    ['a secret in the address', ['http://me:secret@gpu-1'], /Secrets do not belong into an address/],
    ['a kind that there is not', ['http://gpu-1', '--kind', 'torch'], /The kind "torch"/],
    ['slots that are no number', ['http://gpu-1', '--slots', 'many'], /--slots takes a number/],
    ['a check that there is not', ['http://gpu-1', '--only', 'rows,magic'], /No check is called "magic"/],
    ['no address', [], /missing required argument 'url'/],
  ])('refuses %s with 64', async (_name, words, message) => {
    const { code, stdout, stderr } = await test(words);
    expect([code, stdout]).toEqual([64, '']);
    expect(stderr).toMatch(message);
  });

  it('ends in order after Ctrl-C: the job at work is cancelled on the server', async () => {
    const server = await serve({ msPerFrame: 2_000 });
    const command = startCommand(['runner', 'test', server.url.href], { env: environment({}), cwd: tmpdir() });
    await until(() => server.jobs.some(({ rows }) => rows.length > 0), { what: 'a job at work' });
    command.child.kill('SIGINT');
    const { code, stdout } = await command.finished;
    expect(code).toBe(130);
    expect(stdout).toMatch(/Interrupted: \d+ were not tried/);
    await until(() => server.counters.inFlight === 0, { what: 'a free server' });
    expect(server.counters.cancels).toBe(1);
  });
});
