import { createPublicKey, randomUUID, verify } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildJob, buildUser, buildVideo, PASSWORD, SMALL_VIDEO } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { LiveSocket } from '../support/live-socket.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const uuid = expect.stringMatching(UUID) as string;
const isoTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;

/**
 * What a client that knows only the original description of the API relies on: paths, methods, and the members of every
 * example. Members that were added since do no harm; a missing one would.
 */
describe('the host API', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp({ runner: createScriptedRunner({ behaviour: {} }) });
  });
  afterAll(() => app.stop());

  const credentials = () => ({ email: `${randomUUID()}@example.com`, password: 'securepassword123' });

  it('D1.1 registers a user with 100 credits', async () => {
    const { email, password } = credentials();
    const { status, body } = await app.client().post('/api/auth/register', { email, password });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      message: 'User registered successfully',
      user: { id: uuid, email, role: 'user', credit: 100 },
    });
    expect(JSON.stringify(body)).not.toContain('password_hash');
  });

  it('D1.2 logs in with a token that tells id, email and role, D2.1 signed with RS256', async () => {
    const { email, password } = credentials();
    const { body: registered } = await app.client().post<{ user: { id: string } }>('/api/auth/register', {
      email,
      password,
    });
    const { status, body } = await app.client().post<{ message: string; token: string }>('/api/auth/login', {
      email,
      password,
    });
    expect([status, body.message]).toEqual([200, 'Login successful']);
    const [head, payload, signature] = body.token.split('.');
    const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
    expect(decode(head)).toMatchObject({ alg: 'RS256' });
    expect(decode(payload)).toMatchObject({ id: registered.user.id, email, role: 'user' });
    const key = createPublicKey(await readFile(app.config.publicKeyPath));
    const isSigned = verify('sha256', Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url'));
    expect(isSigned).toBe(true);
  });

  it('D1.3 tells the credits, D2.4 100 of them after the registration', async () => {
    const { api } = await buildUser(app);
    const { status, body } = await api.get('/api/user/credits');
    expect([status, body]).toEqual([200, { credits: 100 }]);
  });

  it('D1.4 lets an administrator recharge, D2.2 and nobody else', async () => {
    const [admin, user] = [await buildAdmin(app), await buildUser(app)];
    const sent = { email: user.email, credits: 50 };
    expectProblem(await user.api.post('/api/admin/recharge', sent), 'forbidden');
    const { status, body } = await admin.api.post('/api/admin/recharge', sent);
    expect([status, body]).toEqual([200, { message: "User's credits updated", newBalance: 150 }]);
    expect(await user.api.credits()).toBe(150);
  });

  it('D1.5 creates a dataset, and refuses a second of that name', async () => {
    const user = await buildUser(app);
    const sent = { name: 'Traffic Analysis 2023', tags: ['traffic', 'urban', 'peak-hours'] };
    const { status, body } = await user.api.post('/api/dataset', sent);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      message: 'Dataset created successfully',
      dataset: { id: uuid, user_id: user.id, ...sent, created_at: isoTime, updated_at: isoTime },
    });
    expectProblem(await user.api.post('/api/dataset', sent), 'name-taken');
    expect((await user.api.post('/api/dataset', { name: 'Without tags' })).body).toMatchObject({
      dataset: { tags: [] },
    });
  });

  it('D1.6 lists datasets, filtered by tags in the query or in the body of the GET', async () => {
    const { api } = await buildUser(app);
    for (const [name, tags] of [
      ['one', ['traffic', 'urban']],
      ['two', ['traffic']],
      ['three', ['urban', 'traffic', 'night']],
    ] as const) {
      await api.post('/api/dataset', { name, tags });
    }
    interface Listed {
      datasets: { id: string; name: string; tags: string[]; created_at: string }[];
    }
    const names = async (answer: Promise<{ body: Listed }>) =>
      (await answer).body.datasets.map((dataset) => dataset.name).sort();
    const all = await api.get<Listed>('/api/dataset');
    expect(all.status).toBe(200);
    expect(all.body.datasets[0]).toMatchObject({ id: uuid, name: 'one', tags: ['traffic', 'urban'] });
    expect(all.body.datasets[0].created_at).toEqual(isoTime);
    expect(await names(api.get<Listed>('/api/dataset?tags=traffic&tags=urban'))).toEqual(['one', 'three']);
    expect(await names(api.get<Listed>('/api/dataset?tags=night'))).toEqual(['three']);
    const body = await getWithBody(app, api, '/api/dataset', { tags: ['traffic', 'urban'] });
    expect((body as Listed).datasets.map(({ name }) => name).sort()).toEqual(['one', 'three']);
  });

  it('D1.7 shows a dataset with its videos, to its owner only', async () => {
    const video = await buildVideo(app);
    const { status, body } = await video.user.api.get(`/api/dataset/${video.datasetId}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      dataset: {
        id: video.datasetId,
        name: expect.any(String) as string,
        tags: [],
        created_at: isoTime,
        updated_at: isoTime,
        videos: [{ id: video.id, name: 'a video', frame_count: 25 }],
      },
    });
    const stranger = await buildUser(app);
    expectProblem(await stranger.api.get(`/api/dataset/${video.datasetId}`), 'not-found');
  });

  it('D1.8 updates name and tags, and refuses a name that is taken', async () => {
    const { api } = await buildUser(app);
    const created = await api.post<{ dataset: { id: string } }>('/api/dataset', { name: 'before', tags: ['a'] });
    await api.post('/api/dataset', { name: 'taken' });
    const { id } = created.body.dataset;
    const { status, body } = await api.put(`/api/dataset/${id}`, { name: 'after', tags: ['a', 'b'] });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      message: 'Dataset updated successfully',
      dataset: { id, name: 'after', tags: ['a', 'b'], updated_at: isoTime },
    });
    expectProblem(await api.put(`/api/dataset/${id}`, { name: 'taken' }), 'name-taken');
  });

  it('D1.9 deletes a dataset, D2.5 which vanishes and frees its name', async () => {
    const { api } = await buildUser(app);
    const created = await api.post<{ dataset: { id: string } }>('/api/dataset', { name: 'short-lived' });
    const { id } = created.body.dataset;
    const { status, body } = await api.delete(`/api/dataset/${id}`);
    expect([status, body.message]).toEqual([200, 'Dataset deleted successfully']);
    expectProblem(await api.get(`/api/dataset/${id}`), 'not-found');
    expect((await api.get('/api/dataset')).body).toMatchObject({ datasets: [] });
    expect((await api.post('/api/dataset', { name: 'short-lived' })).status).toBe(201);
    const [row] = await app.sql<{ deleted_at: Date | null }>('SELECT deleted_at FROM datasets WHERE id = $1', [id]);
    expect(row.deleted_at).not.toBeNull();
  });

  it('D1.10 uploads a video, D2.6 into a file whose path the database has, D2.7 and counts its frames', async () => {
    const { api } = await buildUser(app);
    const created = await api.post<{ dataset: { id: string } }>('/api/dataset', { name: 'videos' });
    const form = new FormData();
    form.set('content', new Blob([await readFile(SMALL_VIDEO)]), 'morning.mp4');
    form.set('name', 'Morning Rush Hour');
    form.set('type', 'video');
    const { status, body } = await api.request<{ id: string }>(
      'POST',
      `/api/dataset/${created.body.dataset.id}/videos`,
      {
        body: form,
      },
    );
    expect(status).toBe(201);
    expect(body).toMatchObject({ message: 'Morning Rush Hour - video added', id: uuid, costDeducted: 1 });
    expect(await api.credits()).toBe(99);
    const [row] = await app.sql<{ storage_key: string; frame_count: number }>(
      'SELECT storage_key, frame_count FROM videos WHERE id = $1',
      [body.id],
    );
    expect(row.frame_count).toBe(25);
    await access(path.join(app.config.dataDir, 'objects', row.storage_key));
  });

  it('D1.10 refuses what is neither a video nor a ZIP', async () => {
    const { api } = await buildUser(app);
    const created = await api.post<{ dataset: { id: string } }>('/api/dataset', { name: 'no videos' });
    expectProblem(await api.upload(created.body.dataset.id, new TextEncoder().encode('text')), 'unsupported-video');
    expect(await api.credits()).toBe(100);
  });

  it('D1.11 submits a job with the body of the original description', async () => {
    const video = await buildVideo(app);
    const { status, body, headers } = await video.user.api.post<{ jobId: string[] }>('/api/inference', {
      datasetId: video.datasetId,
      parameters: { startFrame: 0, endFrame: 20, goalFrameId: 4, frameStep: 2, detector: 'SIFT', useGpus: true },
      range: 'all',
    });
    expect([status, body.jobId]).toEqual([202, [uuid]]);
    expect(headers.get('location')).toBe(`/api/inference/status/${body.jobId[0]}`);
  });

  it('D1.12 tells the status, to its owner only', async () => {
    const { id, user } = await buildJob(app);
    await jobEnd(app, { id });
    const { status, body } = await user.api.get(`/api/inference/status/${id}`);
    expect([status, body.status]).toEqual([200, 'COMPLETED']);
    expectProblem(await (await buildUser(app)).api.get(`/api/inference/status/${id}`), 'not-found');
  });

  it('D1.13 gives the result as JSON, D2.10 with its carbon footprint', async () => {
    const { id, user } = await buildJob(app);
    await jobEnd(app, { id });
    const { status, body } = await user.api.get(`/api/inference/result/json/${id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      results: {
        requestId: id,
        velocity: expect.any(Array) as number[][],
        carbon_footprint: expect.any(Number) as number,
        download_url: expect.stringContaining(id) as string,
        message: expect.any(String) as string,
      },
    });
    const [row] = await app.sql<{ carbon_footprint: number }>(
      'SELECT carbon_footprint FROM inference_jobs WHERE id = $1',
      [id],
    );
    expect(row.carbon_footprint).toEqual(expect.any(Number));
  });

  it('D1.14 gives the result as ZIP, D2.11 with a name and a type', async () => {
    const { id, user } = await buildJob(app);
    await jobEnd(app, { id });
    const response = await fetch(`${app.baseUrl}/api/inference/result/zip/${id}`, {
      headers: { Authorization: `Bearer ${user.token}` },
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/zip']);
    expect(response.headers.get('content-disposition')).toContain(`${id}.zip`);
    const start = Buffer.from(await response.arrayBuffer())
      .subarray(0, 4)
      .toString('latin1');
    expect(start).toBe('PK\u0003\u0004');
  });

  it('D1.15 counts the connections, all and the caller’s', async () => {
    const user = await buildUser(app);
    const sockets = [await LiveSocket.follow(app, user.token), await LiveSocket.follow(app, user.token)];
    const { status, body } = await user.api.get<{ data: { totalConnections: number } }>('/api/websocket/stats');
    expect(status).toBe(200);
    expect(body).toMatchObject({ success: true, data: { userConnections: 2 } });
    expect(body.data.totalConnections).toBeGreaterThanOrEqual(2);
    for (const socket of sockets) socket.cut();
  });

  it('D1.16 sends a test notification to the caller', async () => {
    const user = await buildUser(app);
    const live = await LiveSocket.follow(app, user.token);
    const message = 'This is a test notification';
    const { status, body } = await user.api.post('/api/websocket/test', { message });
    expect([status, body]).toEqual([200, { success: true, message: 'Test notification sent' }]);
    await live.until(() => JSON.stringify(live.notifications).includes(message), 'the notification');
    live.cut();
  });

  it('D1.17 is healthy', async () => {
    const { status, body } = await app.client().get('/api/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'Server is working!', timestamp: isoTime });
  });

  it('D1.18 D2.13 serves Swagger UI and the OpenAPI document', async () => {
    const page = await app.client().get<string>('/api/docs');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect((await app.client().get('/api/openapi.json')).body).toMatchObject({
      openapi: expect.stringMatching(/^3\.1/) as string,
    });
  });

  it('D1.19 shows the queues to administrators only', async () => {
    const [admin, user] = [await buildAdmin(app), await buildUser(app)];
    expectProblem(await user.api.get('/api/admin/queues'), 'forbidden');
    const board = await admin.api.get<string>('/api/admin/queues');
    expect(board.status).toBe(200);
    expect(board.headers.get('content-type')).toContain('text/html');
  });

  it('D2.3 keeps passwords as bcrypt hashes, and never shows them', async () => {
    const user = await buildUser(app);
    const [row] = await app.sql<{ password_hash: string }>('SELECT password_hash FROM users WHERE id = $1', [user.id]);
    expect(row.password_hash).toMatch(/^\$2[aby]\$\d\d\$/);
    const login = await app.client().post('/api/auth/login', { email: user.email, password: PASSWORD });
    expect(JSON.stringify(login.body)).not.toContain(row.password_hash);
  });

  it('D2.8 keeps the queue outside of the process: what one took in, another does after its end', async () => {
    const installation = await startApp({ parts: [] });
    try {
      const first = await startApp({ parts: ['http'], beside: installation });
      const { id } = await buildJob(first);
      await first.stop();
      // No scheduler, which would find the row by itself.
      const second = await startApp({ parts: ['worker'], beside: installation });
      expect(await jobEnd(second, { id })).toMatchObject({ status: 'COMPLETED' });
      await second.stop();
    } finally {
      await installation.stop();
    }
  });

  it('D2.9 tells the way of a job on the WebSocket, in its order', async () => {
    const video = await buildVideo(app);
    const live = await LiveSocket.follow(app, video.user.token);
    const { id } = await buildJob(app, { video });
    await live.until(() => live.about(id).some(({ data }) => data.status === 'COMPLETED'), 'COMPLETED');
    const statuses = live.about(id).map(({ data }) => data.status);
    expect(statuses.filter((status, index) => status !== statuses[index - 1])).toEqual([
      'PENDING',
      'RUNNING',
      'COMPLETED',
    ]);
    expect(live.about(id)[0]).toMatchObject({
      type: 'notification',
      event: 'INFERENCE_STATUS_UPDATE',
      data: { inferenceId: id, status: 'PENDING' },
      timestamp: isoTime,
    });
    live.cut();
  });

  it('D2.12 stores one result for a job, and no second', async () => {
    const { id } = await buildJob(app);
    await jobEnd(app, { id });
    await expect(
      app.sql(
        `INSERT INTO results (id, job_id, payload, archive_key, archive_bytes, archive_sha256)
         SELECT gen_random_uuid(), job_id, payload, archive_key || '2', archive_bytes, archive_sha256
         FROM results WHERE job_id = $1`,
        [id],
      ),
    ).rejects.toThrow(/results_job_id_key/);
  });

  it('D2.16 has a table for each thing of the original description', async () => {
    const rows = await app.sql<{ table_name: string }>(
      `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    expect(rows.map((row) => row.table_name)).toEqual(
      expect.arrayContaining(['users', 'datasets', 'videos', 'inference_jobs', 'results']),
    );
  });
});

/** `fetch` refuses to send what some clients do: a GET with a body. */
function getWithBody(app: App, api: ApiClient, pathname: string, body: unknown): Promise<unknown> {
  const text = JSON.stringify(body);
  const headers = {
    Authorization: `Bearer ${api.token}`,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${app.baseUrl}${pathname}`, { method: 'GET', headers }, (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (part: string) => (answer += part));
      response.on('end', () => resolve(JSON.parse(answer)));
    });
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}
