import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobNotification } from '../../src/contract/events.contract.js';
import { startApp, type App } from '../support/app.js';
import { buildUser, buildVideo, PARAMETERS, type TestUser } from '../support/build.js';
import { expectLedgersToBalance } from '../support/ledger.js';
import { LiveSocket } from '../support/live-socket.js';
import { until } from '../support/wait.js';

const JOBS_EACH = 100;
const AT_A_TIME = 10;
const SETTINGS = { UPLOAD_FRAMES_PER_CREDIT: '0', INFERENCE_FRAMES_PER_CREDIT: '5' };

describe('two hundred jobs of two users', () => {
  let app: App;
  let others: App[];
  beforeAll(async () => {
    app = await startApp({ parts: ['http', 'scheduler'], settings: SETTINGS });
    others = await Promise.all([
      startApp({ parts: ['worker'], beside: app, settings: SETTINGS }),
      startApp({ parts: ['worker', 'http'], beside: app, settings: SETTINGS }),
    ]);
  });
  afterAll(async () => {
    for (const other of others) await other.stop();
    await app.stop();
  });

  it('completes all, and tells each owner everything once and in order although the sockets are cut twice', async () => {
    const users = await Promise.all([buildUser(app, { credits: 150 }), buildUser(app, { credits: 150 })]);
    const histories = await Promise.all(
      users.map(async (user) => {
        const watcher = new Watcher([app, others[1]], user);
        const [ids, seen] = await Promise.all([submitAll(app, user), watcher.watch(JOBS_EACH)]);
        return { user, ids, seen };
      }),
    );
    for (const { user, ids, seen } of histories) {
      expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => index + 1));
      for (const id of ids) {
        const steps = seen.filter(({ data }) => data.inferenceId === id && data.progress === undefined);
        expect(steps.map(({ data }) => data.status)).toEqual(['PENDING', 'RUNNING', 'COMPLETED']);
      }
      expect(new Set(seen.map(({ data }) => data.inferenceId))).toEqual(new Set(ids));
      expect(await user.api.credits()).toBe(50);
    }
    const [{ count }] = await app.sql<{ count: number }>('SELECT count(*)::int AS count FROM results');
    expect(count).toBe(2 * JOBS_EACH);
    await expectLedgersToBalance(app);
  });
});

async function submitAll(app: App, user: TestUser): Promise<string[]> {
  const { datasetId } = await buildVideo(app, { user });
  const ids: string[] = [];
  const submitSome = async (count: number): Promise<void> => {
    for (let job = 0; job < count; job++) {
      const body = { datasetId, range: 'all', parameters: PARAMETERS };
      const answer = await user.api.post<{ jobId: string[] }>('/api/inference', body);
      expect(answer.status).toBe(202);
      ids.push(...answer.body.jobId);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, () => submitSome(JOBS_EACH / AT_A_TIME)));
  return ids;
}

/** Follows one user, is cut after a third and after two thirds, and goes on at another server each time. */
class Watcher {
  constructor(
    private readonly servers: readonly App[],
    private readonly user: TestUser,
  ) {}

  /** @returns all notifications, in the order of their arrival */
  async watch(jobs: number): Promise<JobNotification[]> {
    const seen: JobNotification[] = [];
    for (const [turn, share] of [1 / 3, 2 / 3, 1].entries()) {
      const server = this.servers[turn % this.servers.length];
      const live = await LiveSocket.follow(server, this.user.token, seen.at(-1)?.seq ?? 0);
      const completed = (): number =>
        [...seen, ...live.jobNotifications].filter(({ data }) => data.status === 'COMPLETED').length;
      await until(() => completed() >= jobs * share, { deadline: 90_000, what: `${Math.ceil(jobs * share)} results` });
      live.cut();
      seen.push(...live.jobNotifications);
    }
    return seen;
  }
}
