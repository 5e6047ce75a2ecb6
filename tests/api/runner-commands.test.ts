import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../src/sdk/api-error.js';
import { actOnRunner, addRunner, explain, listRunners, type Connection } from '../../src/cli/runner/manage-runners.js';
import { addRunnerAdministration } from '../../src/cli/runner/admin.commands.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildUser } from '../support/build.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

describe('infernode runner', () => {
  let app: App;
  let admin: Connection;

  beforeAll(async () => {
    const gpu = createScriptedRunner({ behaviour: {}, slots: 2, description: { device: 'gpu' } });
    app = await startApp({ parts: ['http'], runner: createScriptedRunner({ behaviour: {} }), runnersToAdd: { gpu } });
    admin = { baseUrl: app.baseUrl, token: (await buildAdmin(app)).token };
  });
  afterAll(() => app.stop());

  it('adds, shows, drains, resumes and removes a model server', async () => {
    const added = await addRunner(admin, {
      name: 'gpu',
      url: 'http://gpu.test:8000',
      kind: 'fastapi',
      token: 'hidden',
    });
    expect(added).toMatch(
      /^NAME +KIND +STATE +JOBS +DEVICE +MODELS +ADDRESS\ngpu +fastapi +READY +0\/2 +gpu +cns +http:\/\/gpu\.test:8000\n$/,
    );
    expect(await listRunners(admin, false)).toMatch(/\nembedded +embedded .*inside the workers.*\ngpu /);
    const listed = await listRunners(admin, true);
    expect((JSON.parse(listed) as { name: string }[]).map(({ name }) => name)).toEqual(['embedded', 'gpu']);
    expect(listed).not.toContain('hidden');
    expect(await actOnRunner(admin, 'drain', 'gpu')).toMatch(/gpu +fastapi +draining/);
    expect(await actOnRunner(admin, 'resume', 'gpu')).toMatch(/gpu +fastapi +READY/);
    expect(await actOnRunner(admin, 'check', 'gpu')).toMatch(/gpu +fastapi +READY/);
    expect(await actOnRunner(admin, 'remove', 'gpu')).toBe('Runner removed\n');
  });

  it('takes the address of the server, and that of the API, from the command line', async () => {
    const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const ends: number[] = [];
    const run = async (...words: string[]): Promise<string> => {
      const program = new Command('runner');
      addRunnerAdministration(program, (code) => ends.push(code));
      printed.mockClear();
      await program.parseAsync([...words, '--url', admin.baseUrl, '--key', admin.token], { from: 'user' });
      return printed.mock.calls.map(([text]) => String(text)).join('');
    };
    try {
      const added = await run('add', 'gpu', 'http://gpu.test:8000', '--slots', '1', '--models', 'cns,drift');
      expect(added).toMatch(/\ngpu +fastapi +READY +0\/1 +gpu +cns +http:\/\/gpu\.test:8000\n$/);
      expect(await run('remove', 'gpu')).toBe('Runner removed\n');
      expect(ends).toEqual([0, 0]);
    } finally {
      printed.mockRestore();
    }
  });

  it('says in words what keeps it from being done', async () => {
    const failure = async (work: Promise<string>, url = app.baseUrl) =>
      explain(await work.catch((error: unknown) => error), url);
    expect(await failure(actOnRunner(admin, 'drain', 'nobody'))).toBe('There is no runner "nobody".');
    expect(await failure(actOnRunner(admin, 'remove', 'embedded'))).toMatch(
      /follows the settings.*\(runner-configured\)$/,
    );
    const user = { baseUrl: app.baseUrl, token: (await buildUser(app)).token };
    await expect(listRunners(user, false)).rejects.toThrow(ApiError);
    expect(await failure(listRunners(user, false))).toMatch(/\(forbidden\)$/);
    const nowhere = { ...admin, baseUrl: 'http://127.0.0.1:9' };
    expect(await failure(listRunners(nowhere, false), nowhere.baseUrl)).toMatch(
      /^http:\/\/127\.0\.0\.1:9 cannot be reached: /,
    );
  });
});
