import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildUser } from '../support/build.js';
import { LiveSocket } from '../support/live-socket.js';
import { expectProblem } from '../support/problems.js';
import { until } from '../support/wait.js';
import type { ApiClient } from '../support/api-client.js';

interface Stats {
  success: boolean;
  data: { totalConnections: number; userConnections: number };
}

async function statsOf(api: ApiClient): Promise<Stats['data']> {
  const { body } = await api.get<Stats>('/api/websocket/stats');
  return body.data;
}

describe('the tools around the WebSocket, on two API processes', () => {
  let app: App;
  let other: App;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
    other = await startApp({ parts: ['http'], beside: app });
  });
  afterAll(async () => {
    await other.stop();
    await app.stop();
  });

  it('D1.15 counts open authenticated connections of all API processes', async () => {
    const [mine, theirs] = [await buildUser(app), await buildUser(app)];
    const { status, body } = await mine.api.get<Stats>('/api/websocket/stats');
    expect(status).toBe(200);
    expect(body).toEqual({ success: true, data: { totalConnections: 0, userConnections: 0 } });

    const silent = await LiveSocket.connect(app);
    const sockets = await Promise.all([
      LiveSocket.follow(app, mine.token),
      LiveSocket.follow(other, mine.token),
      LiveSocket.follow(other, theirs.token),
    ]);
    // Whoever is told to be authenticated is counted already.
    expect(await statsOf(mine.api)).toEqual({ totalConnections: 3, userConnections: 2 });
    expect(await statsOf(other.client(theirs.token))).toEqual({ totalConnections: 3, userConnections: 1 });

    for (const socket of [silent, ...sockets]) socket.cut();
    await until(async () => (await statsOf(mine.api)).totalConnections === 0, { what: 'nobody is connected' });
  });

  it('D1.15 forgets the connections of a process that died, and of one that was stopped', async () => {
    const { id, api, token } = await buildUser(app);
    const insert = `INSERT INTO live_connections (process_id, user_id, connections, expires_at)
                    VALUES ($1, $2, 5, now() + $3::interval)`;
    await app.sql(insert, [randomUUID(), id, '-1 second']);
    await app.sql(insert, [randomUUID(), id, '1 hour']);
    expect((await statsOf(api)).userConnections).toBe(5);
    await app.sql('DELETE FROM live_connections WHERE user_id = $1', [id]);

    const leaving = await startApp({ parts: ['http'], beside: app });
    await LiveSocket.follow(leaving, token);
    expect((await statsOf(api)).userConnections).toBe(1);
    await leaving.stop();
    expect((await statsOf(api)).userConnections).toBe(0);
  });

  it('D1.16 sends a test notification to the caller, on every API process, and to nobody else', async () => {
    const [mine, theirs] = [await buildUser(app), await buildUser(app)];
    const sockets = await Promise.all([LiveSocket.follow(app, mine.token), LiveSocket.follow(other, mine.token)]);
    const stranger = await LiveSocket.follow(app, theirs.token);

    const { status, body } = await mine.api.post('/api/websocket/test', { message: 'Is anybody there?' });
    expect(status).toBe(200);
    expect(body).toEqual({ success: true, message: 'Test notification sent' });

    for (const socket of sockets) {
      const [notification] = await socket.until(
        () => (socket.notifications.length > 0 ? socket.notifications : null),
        'the notification',
      );
      expect(notification).toMatchObject({
        event: 'TEST_NOTIFICATION',
        seq: 1,
        data: { message: 'Is anybody there?' },
      });
    }
    stranger.send({ type: 'ping' });
    await stranger.message('pong');
    expect(stranger.notifications).toEqual([]);

    const late = await LiveSocket.follow(app, mine.token, 0);
    await late.until(() => late.notifications.length === 1, 'the notification, from the log');
    for (const socket of [...sockets, stranger, late]) socket.cut();
  });

  it.each([{}, { message: '' }, { message: 'x'.repeat(1001) }, { message: 7 }, { message: 'a', to: 'all' }])(
    'D1.16 refuses %j',
    async (body) => {
      const { api } = await buildUser(app);
      expectProblem(await api.post('/api/websocket/test', body), 'validation-failed');
    },
  );
});
