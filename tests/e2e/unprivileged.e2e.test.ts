import { stat } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { isRoot, NOBODY } from '../support/embedded-postgres.js';
import { ApiUser } from './support/api-user.js';
import { withInstallation } from './support/installation.js';
import { parametersOf, uploadScene } from './support/servo-scene.js';

const TEST_MS = 120_000;

// As root, for only root can become somebody else; in every other test the server is whoever runs the tests.
it.runIf(isRoot)(
  'a user without any rights runs everything, database included, in a folder of his own',
  () =>
    withInstallation({ uid: NOBODY, database: 'embedded' }, async (installation) => {
      const server = await installation.start();
      const user = await ApiUser.register(server.baseUrl);
      const scene = await uploadScene(user, 'dev-b-roll');
      const [jobId] = await user.submit(scene.datasetId, parametersOf(scene, { detector: 'ORB', frameStep: 20 }));
      expect((await user.result(jobId)).velocity).toHaveLength(3);
      for (const { pid } of await server.tree()) {
        expect((await stat(`/proc/${pid}`)).uid).toBe(NOBODY);
      }
      const key = await stat(path.join(installation.folder, 'keys/private.key'));
      expect({ uid: key.uid, mode: key.mode & 0o777 }).toEqual({ uid: NOBODY, mode: 0o600 });
    }),
  TEST_MS,
);
