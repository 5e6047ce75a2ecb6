import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, buildVideo } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { LiveSocket } from '../support/live-socket.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

const POLICY_VIOLATION = 1008;
const TOO_BIG = 1009;
const GOING_AWAY = 1001;

describe('the WebSocket', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ runner: createScriptedRunner({ behaviour: { msPerFrame: 5 } }) });
  });
  afterAll(() => app.stop());

  it('greets, authenticates by message, and answers pings', async () => {
    const { id, token } = await buildUser(app);
    const live = await LiveSocket.connect(app);
    await live.message('connection');
    live.send({ type: 'ping' });
    await live.message('pong');
    live.send({ type: 'authenticate', token });
    const { data } = await live.message('authenticated');
    expect(data).toEqual({ success: true, userId: id, seq: 0 });
    live.cut();
  });

  it('authenticates by subprotocol', async () => {
    const { id, token } = await buildUser(app);
    const live = await LiveSocket.connect(app, { protocols: ['infernode', `bearer.${token}`] });
    expect(live.socket.protocol).toBe('infernode');
    expect((await live.message('authenticated')).data.userId).toBe(id);
    live.cut();
  });

  it('does not take a token from the address', async () => {
    const { token } = await buildUser(app);
    const live = await LiveSocket.connect(app, { path: `/ws?token=${token}` });
    live.send({ type: 'ping' });
    await live.message('pong');
    expect(live.messages.some(({ type }) => type === 'authenticated')).toBe(false);
    live.cut();
  });

  it.each([
    ['a wrong token', { type: 'authenticate', token: 'wrong' }],
    ['no token', { type: 'authenticate' }],
    ['a message that is none', { type: 'subscribe' }],
    ['something else', [1, 2]],
  ])('refuses %s before anything else', async (_name, message) => {
    const live = await LiveSocket.connect(app);
    live.send(message);
    expect((await live.end()).code).toBe(POLICY_VIOLATION);
    expect(live.messages.at(-1)?.type).toBe('error');
  });

  it('refuses a wrong token in the subprotocol', async () => {
    const live = await LiveSocket.connect(app, { protocols: ['infernode', 'bearer.wrong'] });
    expect((await live.end()).code).toBe(POLICY_VIOLATION);
  });

  it('closes a connection that does not say who it is', async () => {
    const live = await LiveSocket.connect(app);
    expect((await live.end(9_000)).code).toBe(POLICY_VIOLATION);
  });

  it('complains about odd messages of a known user and goes on', async () => {
    const { token } = await buildUser(app);
    const live = await LiveSocket.follow(app, token);
    live.socket.send('{not json');
    live.socket.send(Buffer.from([1, 2, 3]));
    live.send({ type: 'authenticate', token });
    await live.until(() => live.messages.filter(({ type }) => type === 'error').length === 3, 'three complaints');
    live.send({ type: 'ping' });
    await live.message('pong');
    live.cut();
  });

  it('ends connections that send too much, in one message or in many', async () => {
    const { token } = await buildUser(app);
    const large = await LiveSocket.follow(app, token);
    large.socket.send('x'.repeat(20_000));
    expect((await large.end()).code).toBe(TOO_BIG);
    const chatty = await LiveSocket.follow(app, token);
    for (let message = 0; message < 100; message++) chatty.send({ type: 'ping' });
    expect((await chatty.end()).code).toBe(POLICY_VIOLATION);
  });

  it('is nowhere but at /ws', async () => {
    await expect(LiveSocket.connect(app, { path: '/other' })).rejects.toThrow('404');
  });

  it('survives what is no WebSocket at all', async () => {
    const socket = connect(Number(new URL(app.baseUrl).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 400/);
    socket.destroy();
    expect((await app.client().get('/api/health')).status).toBe(200);
  });

  it('tells every step of a job, in order, with gap-free numbers', async () => {
    const video = await buildVideo(app);
    const live = await LiveSocket.follow(app, video.user.token);
    const { id } = await buildJob(app, { video });
    await live.until(() => live.about(id).some(({ data }) => data.status === 'COMPLETED'), 'COMPLETED');
    const steps = live.about(id).filter(({ data }) => data.progress === undefined);
    expect(steps.map(({ data }) => data.status)).toEqual(['PENDING', 'RUNNING', 'COMPLETED']);
    expect(live.notifications.map(({ seq }) => seq)).toEqual(live.notifications.map((_, index) => index + 1));
    expect(live.jobNotifications.at(-1)!.data.result).toMatchObject({
      requestId: id,
      download_url: `/api/inference/result/zip/${id}`,
    });
    live.cut();
  });

  it('tells the owner only, on all of the owner’s sockets', async () => {
    const video = await buildVideo(app);
    const mine = await Promise.all([1, 2].map(() => LiveSocket.follow(app, video.user.token)));
    const other = await LiveSocket.follow(app, (await buildUser(app)).token);
    const { id } = await buildJob(app, { video });
    for (const live of mine) await live.until(() => live.about(id).at(-1)?.data.status === 'COMPLETED', 'COMPLETED');
    expect(mine[0].notifications).toEqual(mine[1].notifications);
    other.send({ type: 'ping' });
    await other.message('pong');
    expect(other.notifications).toEqual([]);
    for (const live of [...mine, other]) live.cut();
  });

  it('goes on after a cut where the client has stopped, and from now where it does not say', async () => {
    const video = await buildVideo(app);
    const first = await LiveSocket.follow(app, video.user.token);
    const one = await buildJob(app, { video });
    await first.until(() => first.about(one.id).length > 0, 'the first event');
    first.cut();
    await jobEnd(app, one);
    const two = await buildJob(app, { video });
    await jobEnd(app, two);

    const resumed = await LiveSocket.follow(app, video.user.token, first.lastSeq);
    await resumed.until(() => resumed.about(two.id).at(-1)?.data.status === 'COMPLETED', 'COMPLETED');
    const all = [...first.notifications, ...resumed.notifications].map(({ seq }) => seq);
    expect(all).toEqual(all.map((_, index) => index + 1));

    const whole = await LiveSocket.follow(app, video.user.token, 0);
    await whole.until(() => whole.notifications.length === all.length, 'everything');
    expect(whole.notifications).toEqual([...first.notifications, ...resumed.notifications]);

    const fresh = await LiveSocket.follow(app, video.user.token);
    expect((await fresh.message('authenticated')).data.seq).toBe(all.length);
    const beyond = await LiveSocket.follow(app, video.user.token, 1_000_000);
    expect((await beyond.message('authenticated')).data.seq).toBe(all.length);
    expect([...fresh.notifications, ...beyond.notifications]).toEqual([]);
    for (const live of [resumed, whole, fresh, beyond]) live.cut();
  });

  it('misses nothing when the connection it listens on is killed', async () => {
    const video = await buildVideo(app);
    const live = await LiveSocket.follow(app, video.user.token);
    const killed = await app.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'infernode events' AND datname = current_database()`,
    );
    expect(killed).not.toEqual([]);
    const { id } = await buildJob(app, { video });
    await live.until(() => live.about(id).at(-1)?.data.status === 'COMPLETED', 'COMPLETED');
    expect(live.notifications.map(({ seq }) => seq)).toEqual(live.notifications.map((_, index) => index + 1));
    live.cut();
  });

  it('says good-bye when the server shuts down', async () => {
    const leaving = await startApp({ parts: ['http'], beside: app });
    const live = await LiveSocket.follow(leaving, (await buildUser(leaving)).token);
    await leaving.stop();
    expect((await live.end()).code).toBe(GOING_AWAY);
  });
});
