import { describe, expect, it } from 'vitest';
import { ApiUser } from './support/api-user.js';
import { withInstallation } from './support/installation.js';
import { parametersOf, uploadScene } from './support/servo-scene.js';

const TEST_MS = 120_000;

describe('an installation that is started again', () => {
  it(
    'keeps users, datasets, videos, results, archives and tokens',
    () =>
      withInstallation({}, async (installation) => {
        const first = await installation.start();
        const user = await ApiUser.register(first.baseUrl);
        const scene = await uploadScene(user, 'dev-b-roll');
        const parameters = parametersOf(scene, { detector: 'ORB', frameStep: 20, visualize: 'all' });
        const [jobId] = await user.submit(scene.datasetId, parameters);
        const before = {
          result: await user.result(jobId),
          archive: await user.archive(jobId),
          videos: await user.videosOf(scene.datasetId),
          credits: await user.credits(),
        };
        await first.stop('SIGINT');
        await installation.expectNoProcesses();

        // Same token: the keys are the same.
        user.baseUrl = (await installation.start()).baseUrl;
        expect({
          result: await user.result(jobId),
          archive: await user.archive(jobId),
          videos: await user.videosOf(scene.datasetId),
          credits: await user.credits(),
        }).toEqual(before);
        await user.logIn();
        expect(await user.credits()).toBe(before.credits);
      }),
    TEST_MS,
  );
});

describe('a second start on the data directory of a running server', () => {
  it(
    'says in one line who has it and ends; the first goes on unharmed',
    () =>
      withInstallation({ database: 'embedded' }, async (installation) => {
        const first = await installation.start();
        const user = await ApiUser.register(first.baseUrl);
        const before = (await first.tree()).map(({ pid }) => pid);

        const second = await installation.run(['all'], { LOG_LEVEL: 'warn' });
        expect(second.code).toBe(1);
        expect(second.stdout).toBe('');
        expect(second.stderr.trimEnd().split('\n')).toHaveLength(1);
        expect(second.stderr).toContain(installation.dataDir);
        expect(second.stderr).toContain(`process ${first.pid} (infernode all)`);

        expect((await first.tree()).map(({ pid }) => pid)).toEqual(before);
        expect(await user.credits()).toBe(100);
        await user.createDataset('written after the second start');
      }),
    TEST_MS,
  );
});
