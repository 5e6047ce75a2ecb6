import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/sdk/client.js';
import { startApp, type App } from '../support/app.js';
import { buildDataset, buildUser, buildVideo, type TestUser } from '../support/build.js';
import { expectProblem } from '../support/problems.js';

describe('versions of datasets', () => {
  let app: App;
  let second: App;
  let user: TestUser;
  let path: string;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
    second = await startApp({ parts: ['http'], beside: app });
  });
  afterAll(async () => {
    await second.stop();
    await app.stop();
  });
  beforeEach(async () => {
    const dataset = await buildDataset(app);
    user = dataset.user;
    path = `/api/dataset/${dataset.id}`;
  });

  const tagOf = async (): Promise<string> => (await user.api.get(path)).headers.get('etag') ?? '';
  const rename = (name: string, ifMatch: string, api = user.api) =>
    api.request('PUT', path, { json: { name }, headers: { 'If-Match': ifMatch } });

  it('are told by the creation, each read and each change, and go up with each change', async () => {
    const created = await user.api.post<{ dataset: { id: string; version: number } }>('/api/dataset', { name: 'new' });
    expect([created.headers.get('etag'), created.body.dataset.version]).toEqual(['"1"', 1]);
    const read = await user.api.get<{ dataset: { version: number } }>(`/api/dataset/${created.body.dataset.id}`);
    expect([read.headers.get('etag'), read.body.dataset.version]).toEqual(['"1"', 1]);
    const changed = await user.api.put(`/api/dataset/${created.body.dataset.id}`, { tags: ['a'] });
    expect(changed.headers.get('etag')).toBe('"2"');
  });

  it('go up with an upload', async () => {
    const before = await tagOf();
    await buildVideo(app, { user, datasetId: path.split('/')[3] });
    expect(await tagOf()).not.toBe(before);
    expectProblem(await rename('too late', before), 'precondition-failed');
  });

  it('let a change through that knows the current one, by its tag, by one of several, or by *', async () => {
    const tag = await tagOf();
    expect((await rename('one', tag)).status).toBe(200);
    expect((await rename('two', `"0", W/"9", ${await tagOf()}`)).status).toBe(200);
    expect((await rename('three', '*')).status).toBe(200);
    expectProblem(await rename('four', tag), 'precondition-failed');
    expect((await user.api.get<{ dataset: { name: string } }>(path)).body.dataset.name).toBe('three');
  });

  it.each(['"999"', 'W/"1"', '"one"', '"01"', '"1.0"', '"99999999999999999999"', '""'])(
    'refuse a change that expects %s',
    async (ifMatch) => {
      expectProblem(await rename('no', ifMatch), 'precondition-failed');
      const deletion = await user.api.request('DELETE', path, { headers: { 'If-Match': ifMatch } });
      expectProblem(deletion, 'precondition-failed');
      expect((await user.api.get(path)).status).toBe(200);
    },
  );

  it.each(['1', '"1', 'W/1', ',', '"1" "2"', '*, "1"'])('refuse If-Match: %s as malformed', async (ifMatch) => {
    expectProblem(await rename('no', ifMatch), 'malformed-request');
    const deletion = await user.api.request('DELETE', path, { headers: { 'If-Match': ifMatch } });
    expectProblem(deletion, 'malformed-request');
  });

  it('say 404, not 412, of what is not there or not the caller’s', async () => {
    const stranger = await buildUser(app);
    expectProblem(await rename('no', '"1"', stranger.api), 'not-found');
    await user.api.delete(path);
    expectProblem(await rename('no', '"1"'), 'not-found');
    expectProblem(await rename('no', '*'), 'not-found');
    expectProblem(await user.api.request('DELETE', path, { headers: { 'If-Match': '"1"' } }), 'not-found');
  });

  it('say 409 of a taken name before anything is changed', async () => {
    await buildDataset(app, { user, name: 'taken' });
    const tag = await tagOf();
    expectProblem(await rename('taken', tag), 'name-taken');
    expect(await tagOf()).toBe(tag);
  });

  it('let one of many writers through who have read the same state, over two servers', async () => {
    const tag = await tagOf();
    const clients = [user.api, second.client(user.token)];
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => rename(`writer ${index}`, tag, clients[index % 2])),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(9).fill(412)]);
    expect(await tagOf()).toBe('"2"');
  });

  it('let either the deletion or the change through', async () => {
    const tag = await tagOf();
    const [deletion, change] = await Promise.all([
      user.api.request('DELETE', path, { headers: { 'If-Match': tag } }),
      rename('late', tag, second.client(user.token)),
    ]);
    expect([
      [200, 404],
      [412, 200],
    ]).toContainEqual([deletion.status, change.status]);
  });

  it('spare whoever has the current state the reading of it', async () => {
    const tag = await tagOf();
    const known = (ifNoneMatch: string, method = 'GET') =>
      user.api.request<string>(method, path, { headers: { 'If-None-Match': ifNoneMatch } });
    for (const header of [tag, `W/${tag}`, `"0", ${tag}`, '*']) {
      const answer = await known(header);
      expect([answer.status, answer.body, answer.headers.get('etag')]).toEqual([304, '', tag]);
    }
    expect((await known(tag, 'HEAD')).status).toBe(304);
    expect((await known('"0"')).status).toBe(200);
    expect((await known('nonsense')).status).toBe(200);
    await user.api.put(path, { name: 'changed' });
    expect((await known(tag)).status).toBe(200);
  });

  it('are taken by the client of this project', async () => {
    const client = createClient({ baseUrl: app.baseUrl, token: user.token });
    const id = path.split('/')[3];
    const { dataset } = await client.getDataset(id);
    await client.updateDataset(id, { name: 'mine' }, { ifVersion: dataset.version });
    await expect(client.updateDataset(id, { name: 'again' }, { ifVersion: dataset.version })).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    await expect(client.deleteDataset(id, { ifVersion: dataset.version })).rejects.toMatchObject({ status: 412 });
    await client.deleteDataset(id, { ifVersion: dataset.version + 1 });
  });
});
