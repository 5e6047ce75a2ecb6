import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Webhook } from 'standardwebhooks';
import type { WebhookMessage } from '../../src/contract/webhook.contract.js';
import { verifyWebhook } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, buildVideo, type TestUser } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { until } from '../support/wait.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

interface WebhookBody {
  webhook: {
    id: string;
    enabled: boolean;
    disabled_reason: string | null;
    failing_since: string | null;
    event_types: string[];
    url: string;
  };
  secret: string;
}

interface DeliveryBody {
  id: string;
  message_id: string;
  kind: string;
  type: string;
  seq: number | null;
  status: string;
  next_attempt_at: string | null;
  attempts: {
    number: number;
    outcome: string | null;
    response_status: number | null;
    response_body: string | null;
    error: { code: string; message: string } | null;
    duration_ms: number | null;
  }[];
}

const textOf = ({ data }: WebhookMessage): string | undefined => ('message' in data ? data.message : undefined);

const SETTINGS = {
  WEBHOOK_ALLOW_HTTP: 'true',
  WEBHOOK_ALLOW_PRIVATE_NETWORKS: '127.0.0.0/8',
  WEBHOOK_TIMEOUT: '2s',
  WEBHOOKS_PER_USER: '3',
};

describe('webhooks', () => {
  let app: App;
  let receiver: WebhookReceiver;
  const names = new Map<string, string[]>();

  beforeAll(async () => {
    app = await startApp({
      settings: SETTINGS,
      resolve: (name) => Promise.resolve((names.get(name) ?? []).map((address) => ({ address, family: 4 }))),
    });
  });
  afterAll(() => app.stop());
  beforeEach(async () => {
    receiver = await WebhookReceiver.start();
  });
  afterEach(() => receiver.stop());

  async function subscribe(
    user: TestUser,
    body: Record<string, unknown> = {},
  ): Promise<{ id: string; secret: string }> {
    const answer = await user.api.post<WebhookBody>('/api/webhooks', { url: receiver.url, ...body });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return { id: answer.body.webhook.id, secret: answer.body.secret };
  }

  const webhookOf = async (user: TestUser, id: string) =>
    (await user.api.get<WebhookBody>(`/api/webhooks/${id}`)).body.webhook;

  const deliveriesOf = async (user: TestUser, id: string, query = '') =>
    (
      await user.api.get<{ deliveries: DeliveryBody[]; nextCursor: string | null }>(
        `/api/webhooks/${id}/deliveries${query}`,
      )
    ).body.deliveries;

  const say = async ({ api }: TestUser, ...messages: string[]): Promise<void> => {
    for (const message of messages) expect((await api.post('/api/websocket/test', { message })).status).toBe(200);
  };

  /** The newest delivery once it is in this status. */
  const settled = (user: TestUser, id: string, status: string) =>
    until(async () => (await deliveriesOf(user, id)).find((delivery) => delivery.status === status), {
      what: `a delivery that is ${status}`,
      deadline: 30_000,
    });

  /** The newest delivery once so many attempts at it are over; what it waits for is over at once. */
  const attempted = (user: TestUser, id: string, attempts: number) =>
    until(
      async () => {
        const [delivery] = await deliveriesOf(user, id);
        if (delivery === undefined) return null;
        const over = delivery.attempts.filter(({ outcome }) => outcome !== null).length;
        if (over >= attempts) return delivery;
        await dueBefore(id, attempts);
        return null;
      },
      { what: `attempt ${attempts}`, deadline: 30_000 },
    );

  /** Ends the wait for an attempt up to this one, and leaves alone the wait behind it. */
  const dueBefore = (id: string, attempt: number) =>
    app.sql(
      `UPDATE webhook_deliveries SET available_at = now() WHERE webhook_id = $1 AND status = 'PENDING' AND attempts < $2`,
      [id, attempt],
    );

  it('delivers every event of the owner from then on, signed, in order, one at a time', async () => {
    const video = await buildVideo(app);
    const { user } = video;
    await say(user, 'before');
    const { id, secret } = await subscribe(user);
    expect(secret).toMatch(/^whsec_/);
    const stranger = await buildUser(app);
    await say(stranger, 'not for you');
    const job = await buildJob(app, { video });
    await jobEnd(app, job);
    const { body } = await user.api.get<{ events: { event: string; seq: number; data: object; timestamp: string }[] }>(
      '/api/events?after=1',
    );
    await until(() => receiver.requests.length >= body.events.length, { what: 'all events', deadline: 30_000 });
    const messages = receiver.requests.map((request) => verifyWebhook(secret, request.headers, request.body));
    expect(messages).toEqual(
      body.events.map(({ event, seq, data, timestamp }) => ({ type: event, seq, data, timestamp })),
    );
    expect(receiver.atATime).toBe(1);
    expect(receiver.requests.map(({ headers }) => headers['webhook-id'])).toEqual(
      body.events.map(({ seq }) => `evt_${user.id}_${seq}`),
    );
    const [newest] = await until(async () => {
      const deliveries = await deliveriesOf(user, id);
      return deliveries.every(({ status }) => status === 'DELIVERED') ? deliveries : null;
    });
    expect(newest.attempts).toMatchObject([{ number: 1, outcome: 'DELIVERED', response_status: 204, error: null }]);
  });

  it('delivers the kinds that were asked for, and changes its mind', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user, { event_types: ['INFERENCE_STATUS_UPDATE'] });
    await say(user, 'unwanted');
    const { status, body } = await user.api.put<WebhookBody>(`/api/webhooks/${id}`, {
      event_types: ['TEST_NOTIFICATION', 'TEST_NOTIFICATION'],
    });
    expect([status, body.webhook.event_types]).toEqual([200, ['TEST_NOTIFICATION']]);
    await say(user, 'wanted');
    await until(() => receiver.messages.some((message) => textOf(message) === 'wanted'));
  });

  it('keeps to the retry schedule of the specification, then gives up', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user);
    receiver.answer = (response) => void response.writeHead(500).end('no\0 thanks');
    await say(user, 'one');
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 9; attempt++) {
      await attempted(user, id, attempt);
      const [{ seconds }] = await app.sql<{ seconds: number }>(
        `SELECT extract(epoch FROM d.available_at - a.finished_at)::float AS seconds
         FROM webhook_deliveries d JOIN webhook_attempts a ON a.delivery_id = d.id
         WHERE d.webhook_id = $1 AND a.number = $2`,
        [id, attempt],
      );
      waits.push(seconds);
    }
    await attempted(user, id, 10);
    const delivery = await settled(user, id, 'FAILED');
    expect(delivery.attempts).toHaveLength(10);
    expect(delivery.next_attempt_at).toBeNull();
    expect(delivery.attempts[0]).toMatchObject({
      outcome: 'FAILED',
      response_status: 500,
      response_body: 'no\ufffd thanks',
      error: { code: 'refused' },
    });
    const schedule = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (const [index, seconds] of schedule.entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(seconds - 0.01);
      expect(waits[index]).toBeLessThanOrEqual(seconds * 1.2 + 0.01);
    }
    expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect((await webhookOf(user, id)).failing_since).not.toBeNull();
    receiver.answer = (response) => void response.writeHead(200).end();
    await say(user, 'two');
    await settled(user, id, 'DELIVERED');
    expect((await webhookOf(user, id)).failing_since).toBeNull();
  });

  it('does not hold back others behind one that failed', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user);
    receiver.answer = (response, { message }) => {
      response.writeHead(textOf(message) === 'bad' ? 503 : 200).end();
    };
    await say(user, 'bad', 'good');
    const delivered = await settled(user, id, 'DELIVERED');
    expect(delivered.seq).toBe(2);
    expect((await deliveriesOf(user, id, '?status=PENDING')).map(({ seq }) => seq)).toEqual([1]);
  });

  it('takes a redirect for a refusal and does not follow it', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user);
    receiver.answer = (response) => void response.writeHead(302, { Location: `${receiver.url}/elsewhere` }).end();
    await say(user, 'one');
    const { attempts } = await attempted(user, id, 1);
    expect(attempts[0]).toMatchObject({ outcome: 'FAILED', response_status: 302 });
    expect(receiver.requests.map(({ path }) => path)).not.toContain('/hook/elsewhere');
  });

  it('cuts off slow receivers at the deadline, in the head and in the body', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user);
    receiver.answer = () => undefined;
    await say(user, 'one');
    expect((await attempted(user, id, 1)).attempts[0]).toMatchObject({ outcome: 'FAILED', error: { code: 'timeout' } });
    receiver.answer = (response) => void response.writeHead(200).write('and then');
    expect((await attempted(user, id, 2)).attempts[1]).toMatchObject({ outcome: 'FAILED', error: { code: 'timeout' } });
  });

  it('reads no more of an answer than it needs', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user);
    let sent = 0;
    receiver.answer = (response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536;
      };
      response.on('drain', more);
      response.on('error', () => undefined); // cut off, as it should be
      more();
    };
    await say(user, 'one');
    const { attempts } = await settled(user, id, 'DELIVERED');
    expect(attempts[0].response_body).toHaveLength(1_000);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it('switches a webhook off whose receiver is gone for good, and says so in the log', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user);
    receiver.answer = (response) => void response.writeHead(410).end();
    await say(user, 'one', 'two');
    await until(async () => !(await webhookOf(user, id)).enabled);
    expect(await webhookOf(user, id)).toMatchObject({ enabled: false, disabled_reason: 'gone' });
    const { body } = await user.api.get<{ events: unknown[] }>('/api/events');
    expect(body.events.at(-1)).toMatchObject({ event: 'WEBHOOK_DISABLED', data: { webhookId: id, reason: 'gone' } });
    expect(await deliveriesOf(user, id, '?status=PENDING')).toEqual([]);
    const seen = receiver.requests.length;

    // On again: with the next event, not with those between.
    await say(user, 'missed');
    receiver.answer = (response) => void response.writeHead(200).end();
    const { body: on } = await user.api.put<WebhookBody>(`/api/webhooks/${id}`, { enabled: true });
    expect(on.webhook).toMatchObject({ enabled: true, disabled_reason: null });
    await say(user, 'next');
    await until(() => receiver.requests.length > seen);
    expect(receiver.messages[seen]).toMatchObject({ data: { message: 'next' } });
  });

  it('switches a webhook off that has taken nothing for days', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user);
    receiver.answer = (response) => void response.writeHead(500).end();
    await say(user, 'one');
    await attempted(user, id, 1);
    await app.sql(`UPDATE webhooks SET failing_since = now() - interval '6 days' WHERE id = $1`, [id]);
    await attempted(user, id, 2);
    expect(await webhookOf(user, id)).toMatchObject({ enabled: false, disabled_reason: 'failing' });
    await settled(user, id, 'CANCELLED');
  });

  it('signs with both secrets for a while after a rotation', async () => {
    const user = await buildUser(app);
    const { id, secret: old } = await subscribe(user);
    const { status, body } = await user.api.post<WebhookBody>(`/api/webhooks/${id}/rotate`);
    expect(status).toBe(200);
    expect(body.secret).not.toBe(old);
    await say(user, 'one');
    await until(() => receiver.requests.length === 1);
    const [both] = receiver.requests;
    for (const secret of [old, body.secret])
      expect(verifyWebhook(secret, both.headers, both.body)).toEqual(both.message);
    await app.sql(`UPDATE webhooks SET previous_secret_expires_at = now() - interval '1 second' WHERE id = $1`, [id]);
    await say(user, 'two');
    await until(() => receiver.requests.length === 2);
    const [, one] = receiver.requests;
    expect(verifyWebhook(body.secret, one.headers, one.body)).toEqual(one.message);
    expect(() => verifyWebhook(old, one.headers, one.body)).toThrow('No matching signature');
    expect(() => new Webhook(body.secret).verify(`${one.body} `, one.headers as Record<string, string>)).toThrow();
  });

  it('keeps no secret in the clear', async () => {
    const user = await buildUser(app);
    const { id, secret } = await subscribe(user);
    const [row] = await app.sql<object>('SELECT * FROM webhooks WHERE id = $1', [id]);
    expect(JSON.stringify(row)).not.toContain(secret.slice('whsec_'.length, 20));
    expect(JSON.stringify(await webhookOf(user, id))).not.toContain('secret":"');
  });

  it('test-fires once, also when the request comes twice, and replays under the same id', async () => {
    const user = await buildUser(app);
    const { id, secret } = await subscribe(user);
    const fire = () =>
      user.api.request<{ delivery: DeliveryBody }>('POST', `/api/webhooks/${id}/test`, {
        headers: { 'Idempotency-Key': 'one-test' },
      });
    const first = await fire();
    expect(first.status).toBe(202);
    expect((await fire()).body).toEqual(first.body);
    const fired = await settled(user, id, 'DELIVERED');
    expect(fired).toMatchObject({ id: first.body.delivery.id, kind: 'test', type: 'WEBHOOK_TEST', seq: null });
    expect(receiver.requests).toHaveLength(1);
    expect(verifyWebhook(secret, receiver.requests[0].headers, receiver.requests[0].body)).toMatchObject({
      type: 'WEBHOOK_TEST',
      data: { webhookId: id },
    });

    const again = await user.api.post<{ delivery: DeliveryBody }>(`/api/webhooks/${id}/deliveries/${fired.id}/replay`);
    expect(again.status).toBe(202);
    expect(again.body.delivery).toMatchObject({ kind: 'replay', message_id: fired.message_id });
    await until(() => receiver.requests.length === 2);
    expect(receiver.requests[1].headers['webhook-id']).toBe(receiver.requests[0].headers['webhook-id']);
    expect(receiver.requests[1].body).toBe(receiver.requests[0].body);

    await user.api.put(`/api/webhooks/${id}`, { enabled: false });
    expectProblem(await user.api.post(`/api/webhooks/${id}/test`), 'webhook-disabled');
    expectProblem(await user.api.post(`/api/webhooks/${id}/deliveries/${fired.id}/replay`), 'webhook-disabled');
  });

  it('tries a test once', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user);
    receiver.answer = (response) => void response.writeHead(500).end();
    await user.api.post(`/api/webhooks/${id}/test`);
    expect((await settled(user, id, 'FAILED')).attempts).toHaveLength(1);
    expect((await webhookOf(user, id)).failing_since).toBeNull();
  });

  it.each([
    'https://10.0.0.1/hook',
    'https://169.254.169.254/latest/meta-data',
    'https://[::1]/hook',
    'https://[::ffff:10.0.0.1]/hook',
    'https://0.0.0.0/hook',
    'https://100.64.0.1/hook',
    'https://2130706433.example/hook',
    'https://inner.example/hook',
    'https://two-faced.example/hook',
    'https://user:password@example.com/hook',
    'ftp://example.com/hook',
    'javascript:alert(1)',
    'not an address',
    'https://[::7f00:1]/hook',
    'https://93.184.215.14:6379/hook',
    'https://93.184.215.14/\u0000',
    'https://93.184.215.14/\u001b[31m',
    'https://93.184.215.14/\ud800',
  ])('refuses the address %j', async (url) => {
    names.set('inner.example', ['192.168.1.1']);
    names.set('2130706433.example', ['10.1.2.3']);
    names.set('two-faced.example', ['93.184.215.14', '192.168.1.1']);
    const user = await buildUser(app);
    expectProblem(await user.api.post('/api/webhooks', { url }), 'validation-failed', 'url');
  });

  it('refuses a name that leads inside when it is used, though it did not before', async () => {
    const user = await buildUser(app);
    const name = `${randomUUID()}.example`;
    names.set(name, ['93.184.215.14']);
    const { id } = await subscribe(user, { url: `http://${name}:${receiver.port}/hook` });
    names.set(name, ['10.0.0.7']);
    await say(user, 'one');
    expect((await attempted(user, id, 1)).attempts[0].error?.code).toBe('address-not-allowed');
    names.set(name, ['127.0.0.1']);
    await attempted(user, id, 2);
    expect(receiver.requests[0].headers.host).toBe(`${name}:${receiver.port}`);
  });

  it('wants TLS unless the installation says otherwise', async () => {
    const strict = await startApp({
      parts: ['http'],
      beside: app,
      settings: { ...SETTINGS, WEBHOOK_ALLOW_HTTP: 'false', WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'false' },
    });
    const { api } = await buildUser(strict);
    expectProblem(await api.post('/api/webhooks', { url: 'http://93.184.215.14/hook' }), 'validation-failed', 'url');
    expectProblem(await api.post('/api/webhooks', { url: 'https://127.0.0.1/hook' }), 'validation-failed', 'url');
    expect((await api.post('/api/webhooks', { url: 'https://93.184.215.14/hook' })).status).toBe(201);
    await strict.stop();
  });

  it('limits the webhooks of an account, also when all come at once', async () => {
    const user = await buildUser(app);
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => user.api.post('/api/webhooks', { url: receiver.url })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 409, 409, 409]);
    expectProblem(
      answers.find(({ status }) => status === 409)!,
      'too-many-webhooks',
    );
    const { body } = await user.api.get<{ webhooks: unknown[]; nextCursor: string }>('/api/webhooks?limit=2');
    const rest = await user.api.get<{ webhooks: unknown[] }>(`/api/webhooks?limit=2&cursor=${body.nextCursor}`);
    expect([body.webhooks.length, rest.body.webhooks.length]).toEqual([2, 1]);
  });

  it('knows nothing of the webhooks of others', async () => {
    const owner = await buildUser(app);
    const { id } = await subscribe(owner);
    await say(owner, 'one');
    const delivery = await settled(owner, id, 'DELIVERED');
    const { api } = await buildUser(app);
    const path = `/api/webhooks/${id}`;
    for (const answer of [
      await api.get(path),
      await api.put(path, { description: 'mine' }),
      await api.put(path, { url: 'https://10.0.0.1' }),
      await api.delete(path),
      await api.post(`${path}/rotate`),
      await api.post(`${path}/test`),
      await api.get(`${path}/deliveries`),
      await api.post(`${path}/deliveries/${delivery.id}/replay`),
      await owner.api.post(`${path}/deliveries/${randomUUID()}/replay`),
      await owner.api.post(`${path}/deliveries/x/replay`),
    ])
      expectProblem(answer, 'not-found');
    expect((await owner.api.delete(path)).status).toBe(200);
    expectProblem(await owner.api.get(path), 'not-found');
  });

  it('delivers nothing of a user who is disabled, and what was left afterwards', async () => {
    const user = await buildUser(app);
    const { id } = await subscribe(user);
    await app.sql('UPDATE users SET disabled_at = now() WHERE id = $1', [user.id]);
    await app.container.infrastructure.uow.run(({ repositories }) =>
      repositories.events.append(user.id, [
        { type: 'TEST_NOTIFICATION', subjectId: user.id, data: { message: 'while away' } },
      ]),
    );
    await app.container.services.webhookDeliveries.deliver(id, new AbortController().signal);
    expect(receiver.requests).toEqual([]);
    await app.sql('UPDATE users SET disabled_at = NULL WHERE id = $1', [user.id]);
    await until(() => receiver.requests.length === 1);
  });

  it('D2.9 never lets a job wait for a webhook', async () => {
    const video = await buildVideo(app);
    receiver.answer = () => undefined;
    await subscribe(video.user);
    const job = await buildJob(app, { video });
    expect((await jobEnd(app, job)).status).toBe('COMPLETED');
  });
});
