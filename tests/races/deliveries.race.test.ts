import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EventEntry } from '../../src/contract/events.contract.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, buildVideo, type TestUser } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { LiveSocket } from '../support/live-socket.js';
import { LiveStream } from '../support/live-stream.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { until } from '../support/wait.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const SETTINGS = { WEBHOOK_ALLOW_HTTP: 'true', WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'true', WEBHOOK_TIMEOUT: '5s' };
const JOBS = 6;
const CUTS = 8;

/** Every way out of the log is compared by what is in it. */
interface Told {
  seq: number;
  type: string;
  data: unknown;
}

const toldBy = ({ seq, event, data }: Pick<EventEntry, 'seq' | 'event' | 'data'>): Told => ({ seq, type: event, data });

/** What is known once: at least once is promised, doubles are dropped by their number. */
function once(told: readonly Told[]): Told[] {
  return [...new Map(told.map((entry) => [entry.seq, entry])).values()].sort((a, b) => a.seq - b.seq);
}

describe('events out of two processes', () => {
  let app: App;
  let other: App;
  let receiver: WebhookReceiver;

  beforeAll(async () => {
    const runner = () => createScriptedRunner({ behaviour: { msPerFrame: 3 } });
    app = await startApp({ settings: SETTINGS, runner: runner() });
    other = await startApp({ settings: SETTINGS, runner: runner(), beside: app });
  });
  afterAll(async () => {
    await other.stop();
    await app.stop();
  });
  beforeEach(async () => {
    receiver = await WebhookReceiver.start();
  });
  afterEach(() => receiver.stop());

  const subscribe = async ({ api }: TestUser): Promise<string> => {
    const { status, body } = await api.post<{ webhook: { id: string } }>('/api/webhooks', { url: receiver.url });
    expect(status).toBe(201);
    return body.webhook.id;
  };
  const say = async ({ api }: TestUser, ...messages: string[]): Promise<void> => {
    for (const message of messages) expect((await api.post('/api/websocket/test', { message })).status).toBe(200);
  };
  const tableOf = async ({ id }: TestUser): Promise<Told[]> =>
    (
      await app.sql<{ seq: string; type: string; data: unknown }>(
        'SELECT seq, type, data FROM events WHERE user_id = $1 ORDER BY seq',
        [id],
      )
    ).map((row) => ({ ...row, seq: Number(row.seq) }));
  const either = (): App => (Math.random() < 0.5 ? app : other);

  it('tells the same on every way, cut and resumed at random, as stands in the table', async () => {
    const video = await buildVideo(app);
    const { user } = video;
    await subscribe(user);
    // Doubles and retries: some answers are lost on their way.
    receiver.answer = (response) => {
      if (Math.random() < 0.2) response.destroy();
      else response.writeHead(204).end();
    };
    const finished = { value: false };
    const last = async (): Promise<number> => (await tableOf(user)).length;

    const socket = async (): Promise<Told[]> => {
      const told: Told[] = [];
      let seq = 0;
      for (let cuts = 0; ; cuts++) {
        const live = await LiveSocket.follow(either(), user.token, seq);
        const goal = seq + 1 + Math.floor(Math.random() * 6);
        const isDone = async () => finished.value && (live.lastSeq || seq) >= (await last());
        await until(async () => (cuts < CUTS && live.lastSeq >= goal) || (await isDone()), {
          deadline: 60_000,
          what: 'news on the WebSocket',
        });
        live.cut();
        told.push(...live.notifications.map(toldBy));
        seq = told.at(-1)?.seq ?? 0;
        if (finished.value && seq >= (await last())) return told;
      }
    };
    const stream = async (): Promise<Told[]> => {
      const told: Told[] = [];
      let seq = 0;
      for (let cuts = 0; ; cuts++) {
        const live = await LiveStream.open(either(), user.token, { lastEventId: seq });
        const goal = seq + 1 + Math.floor(Math.random() * 6);
        const seen = (): number => live.events.at(-1)?.seq ?? seq;
        await until(async () => (cuts < CUTS && seen() >= goal) || (finished.value && seen() >= (await last())), {
          deadline: 60_000,
          what: 'news on the stream',
        });
        live.cut();
        told.push(...live.events.map(toldBy));
        seq = told.at(-1)?.seq ?? 0;
        if (finished.value && seq >= (await last())) return told;
      }
    };
    const poll = async (): Promise<Told[]> => {
      const told: Told[] = [];
      for (let after = 0; ;) {
        const wasFinished = finished.value;
        const { body } = await either()
          .client(user.token)
          .get<{ events: EventEntry[]; nextAfter: number }>(`/api/events?after=${after}&limit=5`);
        told.push(...body.events.map(toldBy));
        after = body.nextAfter;
        if (wasFinished && body.events.length === 0) return told;
      }
    };
    const work = async (): Promise<void> => {
      for (let round = 0; round < JOBS; round++) {
        const job = await buildJob(either(), { video });
        await say(user, `round ${round}`);
        await jobEnd(app, job);
      }
      finished.value = true;
    };

    const [bySocket, byStream, byPolling] = await Promise.all([socket(), stream(), poll(), work()]);
    const table = await tableOf(user);
    const byWebhook = (): Told[] =>
      once(
        receiver.messages.flatMap((message) =>
          'seq' in message ? [{ seq: message.seq, type: message.type, data: message.data }] : [],
        ),
      );
    await until(
      async () => {
        await app.sql(
          `UPDATE webhook_deliveries SET available_at = now() WHERE status = 'PENDING' AND available_at > now()`,
        );
        return byWebhook().length === table.length;
      },
      { deadline: 60_000, what: 'every delivery' },
    );
    expect(table.map(({ seq }) => seq)).toEqual(table.map((_, index) => index + 1));
    expect(bySocket).toEqual(table);
    expect(byStream).toEqual(table);
    expect(byPolling).toEqual(table);
    expect(byWebhook()).toEqual(table);
    expect(receiver.atATime).toBe(1);
  });

  it('never sends to one webhook from two workers at once, nor anything twice', async () => {
    const user = await buildUser(app);
    const id = await subscribe(user);
    const never = new AbortController().signal;
    const workers = [app, other].map(({ container }) => container.services.webhookDeliveries);
    await Promise.all([
      say(user, ...Array.from({ length: 20 }, (_, index) => String(index))),
      ...Array.from({ length: 20 }, (_, index) => workers[index % 2].deliver(id, never)),
    ]);
    await until(() => receiver.requests.length >= 20);
    expect(receiver.messages.map((message) => ('seq' in message ? message.seq : 0))).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    expect(receiver.atATime).toBe(1);
  });

  it('sends again what a worker that died had under way, once its lease is over', async () => {
    const user = await buildUser(app);
    const id = await subscribe(user);
    const { uow, repositories } = app.container.infrastructure;
    const claim = await repositories.webhooks.claim(id, 3_600);
    await say(user, 'one');
    const [event] = await repositories.events.readAfter(user.id, 0, 1);
    const delivery = { kind: 'event', messageId: 'evt_lost', type: event.type, seq: 1, body: '{}' } as const;
    await uow.run(({ repositories: { webhooks } }) => webhooks.advance(claim!, [delivery], 1));
    const begun = await uow.run(({ repositories: { webhooks } }) => webhooks.beginAttempt(claim!, 3_600));
    expect(begun?.delivery.attempts).toBe(1);
    for (const { container } of [app, other]) {
      await container.services.webhookDeliveries.deliver(id, new AbortController().signal);
    }
    expect(receiver.requests).toEqual([]);

    await app.sql(`UPDATE webhooks SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [id]);
    await until(() => receiver.requests.length === 1, { what: 'the delivery by another worker' });
    expect(receiver.requests[0].headers['webhook-id']).toBe('evt_lost');
    // The dead one comes back and finds that it has nothing to say any more.
    expect(await repositories.webhooks.lockClaimed(claim!)).toBeNull();
    const attempts = await until(async () => {
      const rows = await app.sql<{ number: number; outcome: string | null }>(
        `SELECT number, outcome FROM webhook_attempts JOIN webhook_deliveries ON id = delivery_id
         WHERE webhook_id = $1 ORDER BY number`,
        [id],
      );
      return rows.at(-1)?.outcome === 'DELIVERED' ? rows : null;
    });
    expect(attempts).toEqual([
      { number: 1, outcome: null },
      { number: 2, outcome: 'DELIVERED' },
    ]);
  });

  it('gives back what a worker that shuts down has under way', async () => {
    const user = await buildUser(app);
    const id = await subscribe(user);
    const shutdown = new AbortController();
    receiver.answer = () => undefined;
    await say(user, 'one');
    await until(() => receiver.requests.length === 1);
    await app.sql(`UPDATE webhooks SET claim_token = NULL, lease_expires_at = NULL WHERE id = $1`, [id]);
    const under = app.container.services.webhookDeliveries.deliver(id, shutdown.signal);
    await until(() => receiver.requests.length === 2);
    const before = await app.sql<{ attempts: number }>(
      'SELECT attempts FROM webhook_deliveries WHERE webhook_id = $1',
      [id],
    );
    receiver.answer = (response) => void response.writeHead(204).end();
    shutdown.abort();
    await under;
    const [after] = await until(async () => {
      const rows = await app.sql<{ status: string; attempts: number }>(
        'SELECT status, attempts FROM webhook_deliveries WHERE webhook_id = $1',
        [id],
      );
      return rows[0].status === 'DELIVERED' ? rows : null;
    });
    expect(after.attempts).toBe(before[0].attempts);
  });

  it('keeps events as long as it says, always from the start of a log, and those a webhook has still to take', async () => {
    const [plain, watched] = [await buildUser(app), await buildUser(app)];
    const webhook = await subscribe(watched);
    receiver.answer = (response) => void response.writeHead(204).end();
    for (const user of [plain, watched]) await say(user, 'one', 'two', 'three', 'four');
    await until(() => receiver.requests.length === 4);
    const ageing = `UPDATE events SET created_at = now() - interval '31 days' WHERE user_id = $1 AND seq = ANY($2::bigint[])`;
    // The third is old too, but the second is not: no hole is made.
    await app.sql(ageing, [plain.id, [1, 3]]);
    await app.sql(ageing, [watched.id, [1, 2, 3, 4]]);
    await app.sql(
      'UPDATE webhooks SET last_seq = 2, claim_token = gen_random_uuid(), lease_expires_at = $2 WHERE id = $1',
      [webhook, new Date(Date.now() + 3_600_000)],
    );
    await Promise.all([app, other].map(({ container }) => container.services.events.removeOld()));
    expect((await tableOf(plain)).map(({ seq }) => seq)).toEqual([2, 3, 4]);
    expect((await tableOf(watched)).map(({ seq }) => seq)).toEqual([3, 4]);

    await app.sql(`UPDATE webhook_deliveries SET finished_at = now() - interval '31 days' WHERE webhook_id = $1`, [
      webhook,
    ]);
    await Promise.all([app, other].map(({ container }) => container.services.webhookDeliveries.removeOld()));
    expect(await app.sql('SELECT 1 FROM webhook_deliveries WHERE webhook_id = $1', [webhook])).toEqual([]);
  });
});
