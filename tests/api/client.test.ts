import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../src/contract/routes.js';
import { Client, createClient } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildJob, buildUser, buildVideo, PASSWORD, SMALL_VIDEO } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';

/** Steps of the protocol for resumable uploads, which `uploadResumable` takes. */
const STEPS_OF_RESUMABLE_UPLOADS = ['createUpload', 'getUploadOffset', 'appendUpload'];

/** Each method checks the answer against the contract by itself, so most calls here need no other expectation. */
describe('the client', () => {
  let app: App;
  let folder: string;
  beforeAll(async () => {
    app = await startApp();
    folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-client-'));
  });
  afterAll(async () => {
    await app.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const clientOf = ({ token }: { token: string }): Client => createClient({ baseUrl: app.baseUrl, token });

  it('has a method for each route', () => {
    const missing = ROUTES.map(({ operationId }) => operationId).filter((name) => !(name in Client.prototype));
    expect(missing.sort()).toEqual([...STEPS_OF_RESUMABLE_UPLOADS].sort());
  });

  it('logs in and out, and manages sessions, keys and the password', async () => {
    const { email } = await buildUser(app);
    const anonymous = createClient({ baseUrl: app.baseUrl });
    const { token } = await anonymous.login({ email, password: PASSWORD });
    const { token: other } = await anonymous.login({ email, password: PASSWORD });
    const client = anonymous.withToken(token);
    const { sessions } = await client.listSessions();
    expect(sessions.length).toBeGreaterThanOrEqual(2);
    const { api_key, key } = await client.createApiKey({ name: 'client', scopes: ['read'] });
    expect((await anonymous.withToken(key).getProfile()).user.email).toBe(email);
    expect((await client.listApiKeys()).api_keys.map(({ id }) => id)).toEqual([api_key.id]);
    await client.deleteApiKey(api_key.id);
    const stranger = sessions.find(({ current }) => !current);
    await client.endSession(stranger?.id ?? '');
    await client.changePassword({ currentPassword: PASSWORD, newPassword: `new ${PASSWORD}` });
    await expect(anonymous.withToken(other).getProfile()).rejects.toMatchObject({ code: 'invalid-token' });
    await client.logout();
    await expect(client.getProfile()).rejects.toMatchObject({ code: 'invalid-token' });
  });

  it('tells prices, moves credits, and looks after users', async () => {
    const [admin, user] = [await buildAdmin(app), await buildUser(app)];
    const [administrator, client] = [clientOf(admin), clientOf(user)];
    expect(await client.quote({ kind: 'upload', frames: 1500 })).toMatchObject({ cost: 10 });
    const { dataset } = await client.createDataset({ name: 'paid' });
    const { id } = await client.uploadVideo(dataset.id, { name: 'video', file: { path: SMALL_VIDEO } });
    await administrator.recharge({ email: user.email, credits: 5 });
    await administrator.adjustCredits({ email: user.email, amount: -1, reason: 'Too many' });
    await administrator.refund({ reference: { type: 'video', id }, reason: 'Damaged' });
    expect(await client.getCredits()).toEqual({ credits: 104 });
    const { entries } = await client.listCreditEntries();
    expect(entries.map(({ kind }) => kind)).toEqual(['refund', 'adjustment', 'recharge', 'upload', 'signup']);
    await administrator.updateUser(user.id, { disabled: true });
    const { users } = await administrator.listUsers({ limit: 200 });
    expect(users.find((one) => one.id === user.id)?.disabled_at).not.toBeNull();
    const { entries: deeds } = await administrator.listAudit();
    expect(deeds.map(({ action }) => action)).toContain('credits.refund');
  });

  it('lists datasets, deletes videos, saves archives, reads events', async () => {
    const video = await buildVideo(app);
    const { id, user } = await buildJob(app, { video });
    await jobEnd(app, { id });
    const client = clientOf(user);
    expect((await client.listDatasets()).datasets).toHaveLength(1);
    const archive = path.join(folder, 'result.zip');
    await client.getJobArchive(id, archive);
    expect((await readFile(archive)).subarray(0, 2).toString()).toBe('PK');
    const own = await client.getEvents();
    expect(await client.getJobEvents(id)).toMatchObject({ events: own.events });
    await client.deleteVideo(video.datasetId, video.id);
    expect(await client.getWebSocketStats()).toMatchObject({ data: { userConnections: 0 } });
    await client.sendTestNotification({ message: 'hello' });
  });

  it('manages webhooks', async () => {
    const client = clientOf(await buildUser(app));
    const { webhook, secret } = await client.createWebhook({ url: 'https://receiver.invalid/hook', enabled: true });
    expect((await client.listWebhooks()).webhooks.map(({ id }) => id)).toEqual([webhook.id]);
    expect((await client.rotateWebhookSecret(webhook.id)).secret).not.toBe(secret);
    const { delivery } = await client.testWebhook(webhook.id);
    expect((await client.listWebhookDeliveries(webhook.id)).deliveries.map(({ id }) => id)).toEqual([delivery.id]);
    await client.updateWebhook(webhook.id, { enabled: false });
    await expect(client.replayWebhookDelivery(webhook.id, delivery.id)).rejects.toMatchObject({
      code: 'webhook-disabled',
    });
    expect((await client.getWebhook(webhook.id)).webhook.enabled).toBe(false);
    await client.deleteWebhook(webhook.id);
  });

  it('asks about the server, and says what it was refused', async () => {
    const anonymous = createClient({ baseUrl: app.baseUrl });
    expect(await anonymous.getHealth()).toMatchObject({ status: 'Server is working!' });
    // Of tokens, and of receipts.
    expect((await anonymous.getKeySet()).keys.map(({ alg }) => alg)).toEqual(['RS256', 'EdDSA']);
    expect(await anonymous.getOpenApi()).toHaveProperty('paths');
    expect(await anonymous.getDocs()).toContain('<html');
    const client = clientOf(await buildUser(app));
    await expect(client.retryJob(randomUUID())).rejects.toMatchObject({ code: 'not-found' });
    await expect(client.finishUpload(randomUUID())).rejects.toMatchObject({ code: 'not-found' });
  });
});
