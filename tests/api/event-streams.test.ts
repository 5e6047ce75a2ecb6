import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventEntry } from '../../src/contract/events.contract.js';
import { startApp, type App } from '../support/app.js';
import type { ApiClient } from '../support/api-client.js';
import { buildJob, buildUser, buildVideo } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { LiveSocket } from '../support/live-socket.js';
import { LiveStream } from '../support/live-stream.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { until } from '../support/wait.js';

interface EventPage {
  events: EventEntry[];
  nextAfter: number;
}

const statusOf = (event: EventEntry | undefined): string | undefined =>
  event?.event === 'INFERENCE_STATUS_UPDATE' ? event.data.status : undefined;

/** The log to its end, page by page. */
async function poll(api: ApiClient, path = '/api/events', limit = 3): Promise<EventEntry[]> {
  const events: EventEntry[] = [];
  for (let after = 0; ;) {
    const { body } = await api.get<EventPage>(`${path}?after=${after}&limit=${limit}`);
    events.push(...body.events);
    if (body.events.length === 0) return events;
    after = body.nextAfter;
  }
}

describe('events over HTTP', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({
      runner: createScriptedRunner({ behaviour: { msPerFrame: 5 } }),
      settings: { EVENT_STREAMS_PER_USER: '3' },
    });
  });
  afterAll(() => app.stop());

  const say = async (api: ApiClient, ...messages: string[]): Promise<void> => {
    for (const message of messages) expect((await api.post('/api/websocket/test', { message })).status).toBe(200);
  };

  it('streams what happens from now on, with its positions, through proxies', async () => {
    const { api, token } = await buildUser(app);
    await say(api, 'before');
    const stream = await LiveStream.open(app, token);
    expect(stream.status).toBe(200);
    expect(stream.answer.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    await stream.until(() => stream.lastEventId === 1, 'the position, before there is an event');
    await say(api, 'one', 'two');
    await stream.until(() => stream.events.length === 2, 'two events');
    expect(stream.events).toMatchObject([
      { event: 'TEST_NOTIFICATION', seq: 2, data: { message: 'one' } },
      { event: 'TEST_NOTIFICATION', seq: 3, data: { message: 'two' } },
    ]);
    stream.cut();
  });

  it('goes on behind Last-Event-ID, which wins over `after`, and tells the owner only', async () => {
    const [mine, theirs] = [await buildUser(app), await buildUser(app)];
    await say(mine.api, 'one', 'two', 'three');
    const stream = await LiveStream.open(app, mine.token, { path: '/api/events?after=0', lastEventId: 1 });
    await stream.until(() => stream.events.length === 2, 'what comes behind 1');
    expect(stream.events.map(({ seq }) => seq)).toEqual([2, 3]);
    const whole = await LiveStream.open(app, mine.token, { path: '/api/events?after=0' });
    await whole.until(() => whole.events.length === 3, 'everything');
    const beyond = await LiveStream.open(app, mine.token, { lastEventId: 1_000 });
    await beyond.until(() => beyond.lastEventId === 3, 'the end of what there is');
    const stranger = await LiveStream.open(app, theirs.token, { path: '/api/events?after=0' });
    await stranger.until(() => stranger.lastEventId === 0, 'an empty log');
    expect(stranger.events).toEqual([]);
    for (const each of [stream, whole, beyond, stranger]) each.cut();
  });

  it('gives pages of JSON to who does not ask for a stream', async () => {
    const { api } = await buildUser(app);
    expect((await api.get('/api/events')).body).toEqual({ events: [], nextAfter: 0 });
    await say(api, 'one', 'two', 'three', 'four');
    const first = await api.get<EventPage>('/api/events?limit=3', { headers: { Accept: 'application/json' } });
    expect(first.headers.get('content-type')).toContain('application/json');
    expect(first.body.nextAfter).toBe(3);
    const second = await api.get<EventPage>(`/api/events?after=${first.body.nextAfter}`);
    expect([...first.body.events, ...second.body.events].map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect((await api.get('/api/events?after=4')).body).toEqual({ events: [], nextAfter: 4 });
    const head = await api.request('HEAD', '/api/events', { headers: { Accept: 'text/event-stream' } });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
  });

  it.each(['/api/events?after=-1', '/api/events?after=x', '/api/events?limit=0', '/api/events?seq=1'])(
    'refuses %s',
    async (path) => {
      const { api } = await buildUser(app);
      expectProblem(await api.get(path), 'validation-failed');
    },
  );

  it('refuses a Last-Event-ID that is no position', async () => {
    const { api } = await buildUser(app);
    expectProblem(await api.get('/api/events', { headers: { 'Last-Event-ID': 'abc' } }), 'validation-failed');
  });

  it('D2.9 follows one job from PENDING to its end, and keeps those away who come back for more', async () => {
    const video = await buildVideo(app);
    const { user } = video;
    await say(user.api, 'something else');
    const { id } = await buildJob(app, { video });
    const path = `/api/inference/${id}/events`;
    const stream = await LiveStream.open(app, user.token, { path });
    await say(user.api, 'more of something else');
    await stream.end();
    const steps = stream.events.filter((event) => !('progress' in event.data));
    expect(steps.map(statusOf)).toEqual(['PENDING', 'RUNNING', 'COMPLETED']);
    expect(await poll(user.api, path)).toEqual(stream.events);

    const again = await LiveStream.open(app, user.token, { path, lastEventId: stream.lastEventId! });
    expect(again.status).toBe(204);
    const part = await LiveStream.open(app, user.token, { path, lastEventId: stream.events[0].seq });
    await part.end();
    expect(part.events).toEqual(stream.events.slice(1));
  });

  it('knows nothing of the jobs of others', async () => {
    const { id, user } = await buildJob(app);
    const stranger = await buildUser(app);
    expectProblem(await stranger.api.get(`/api/inference/${id}/events`), 'not-found');
    expectProblem(await stranger.api.get(`/api/inference/${randomUUID()}/events`), 'not-found');
    await jobEnd(app, { id });
    expect((await user.api.get(`/api/inference/${id}/events`)).status).toBe(200);
  });

  it('limits the streams of a user, and counts those that have ended no more', async () => {
    const { token } = await buildUser(app);
    const open = await Promise.all([1, 2, 3].map(() => LiveStream.open(app, token)));
    const refused = await LiveStream.open(app, token);
    expect(refused.status).toBe(429);
    open[0].cut();
    const next = await until(
      async () => {
        const stream = await LiveStream.open(app, token);
        return stream.status === 200 ? stream : null;
      },
      { what: 'room for another stream' },
    );
    for (const stream of [...open, refused, next]) stream.cut();
  });

  it('tells whoever asks for events that are no longer kept, on every way, and leaves nothing out silently', async () => {
    const { id, api, token } = await buildUser(app);
    await say(api, 'one', 'two', 'three', 'four');
    await app.sql('DELETE FROM events WHERE user_id = $1 AND seq <= 2', [id]);

    const gone = await api.get<{ firstSeq: number }>('/api/events?after=1');
    expectProblem(gone, 'events-gone');
    expect(gone.body.firstSeq).toBe(3);
    const accept = { Accept: 'text/event-stream', 'Last-Event-ID': '1' };
    expectProblem(await api.get('/api/events', { headers: accept }), 'events-gone');
    const socket = await LiveSocket.follow(app, token, 1);
    expect(await socket.message('resync')).toMatchObject({ reason: 'gone', lastSeq: 2 });
    expect((await socket.end()).code).toBe(1013);

    expect((await api.get<EventPage>('/api/events')).body.events.map(({ seq }) => seq)).toEqual([3, 4]);
    expect((await api.get<EventPage>('/api/events?after=2')).body.events.map(({ seq }) => seq)).toEqual([3, 4]);

    await app.sql('DELETE FROM events WHERE user_id = $1', [id]);
    expectProblem(await api.get('/api/events?after=3'), 'events-gone');
    expect((await api.get('/api/events')).body).toEqual({ events: [], nextAfter: 4 });
    const stream = await LiveStream.open(app, token, { lastEventId: 4 });
    await say(api, 'five');
    await stream.until(() => stream.events.length === 1, 'the next event');
    expect(stream.events[0].seq).toBe(5);
    stream.cut();
  });

  it('ends with the server, so that clients go to another', async () => {
    const leaving = await startApp({ parts: ['http'], beside: app });
    const { token } = await buildUser(leaving);
    const stream = await LiveStream.open(leaving, token);
    await leaving.stop();
    await stream.end();
    expect(stream.resync).toBeNull();
  });

  it('ends with the token', async () => {
    const brief = await startApp({ parts: ['http'], beside: app, settings: { JWT_EXPIRATION: '2s' } });
    const { token } = await buildUser(brief);
    const stream = await LiveStream.open(brief, token);
    await stream.end();
    expect(stream.comments).toBe(1);
    await brief.stop();
  });
});
