import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/sdk/client.js';
import { until } from '../support/wait.js';
import { ApiUser } from './support/api-user.js';
import { EventFollower } from './support/event-follower.js';
import { expectBalancedLedger } from './support/evidence.js';
import { withInstallation, type Installation } from './support/installation.js';
import { parametersOf, submitLongJob, uploadScene } from './support/servo-scene.js';

const SCENE = 'dev-a-translate-xy';
const TEST_MS = 180_000;

/** Every API process has to know what the other did a moment ago: nothing is kept in one of them. */
describe('two API processes, two workers and two schedulers on one database', () => {
  it(
    'are one service: jobs, credits and events come out as from one, though a worker is killed',
    () =>
      withInstallation(
        { database: 'shared', settings: { INFERENCE_FRAMES_PER_CREDIT: '20', ENGINE_PROCESSES: '1' } },
        async (installation) => {
          expect(await installation.run(['migrate'])).toMatchObject({ code: 0 });
          const [one, other, worker] = await startAll(installation);
          const user = await ApiUser.register(one.baseUrl);
          const follower = new EventFollower(one.baseUrl, user.token);
          await follower.connect();
          user.baseUrl = other.baseUrl;
          const scene = await uploadScene(user, SCENE);
          const balance = await user.credits();

          // A double click that reaches both processes at once.
          const key = randomUUID();
          const parameters = parametersOf(scene, { detector: 'ORB', frameStep: 4 });
          const clients = [one, other].map(({ baseUrl }) => createClient({ baseUrl, token: user.token }));
          const twins = await Promise.allSettled(
            clients.map((client) =>
              client.submitInference({ datasetId: scene.datasetId, range: 'all', parameters }, { idempotencyKey: key }),
            ),
          );
          const submitted = new Set(twins.flatMap((twin) => (twin.status === 'fulfilled' ? twin.value.jobId : [])));
          expect(submitted.size).toBe(1);

          const long = await submitLongJob(user, scene);
          const cancelled = await submitLongJob(user, scene);
          user.baseUrl = one.baseUrl;
          await user.untilUnderWay(long);
          await clients[1].cancelJob(cancelled);
          await worker.kill();
          await user.result(long);
          const [short] = submitted;
          await user.result(short);
          await until(async () => (await user.status(cancelled)).status === 'ABORTED', {
            deadline: 60_000,
            what: 'the cancelled job is ABORTED',
          });

          // One credit for 15 frames, three for 60, nothing for what was cancelled.
          expect(await user.credits()).toBe(balance - 4);
          user.baseUrl = other.baseUrl;
          expect(await user.credits()).toBe(balance - 4);
          const { events } = await clients[1].getEvents({ after: '0', limit: '200' });
          await until(() => follower.events.length === events.length, { what: 'the socket has told all' });
          expect(follower.events.map(({ seq, data }) => ({ seq, data }))).toEqual(
            events.map(({ seq, data }) => ({ seq, data })),
          );
          expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
          await expectBalancedLedger(installation);
          expect(await installation.run(['ledger', 'verify'])).toMatchObject({ code: 0 });
        },
      ),
    TEST_MS,
  );
});

async function startAll(installation: Installation) {
  const [one, other] = await Promise.all([installation.start('api'), installation.start('api')]);
  const [worker] = await Promise.all([
    installation.start('worker'),
    installation.start('worker'),
    installation.start('scheduler'),
    installation.start('scheduler'),
  ]);
  return [one, other, worker] as const;
}
