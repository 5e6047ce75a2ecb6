import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ApiClient } from '../support/api-client.js';
import { startApp, type App } from '../support/app.js';
import { buildDataset, buildUser, buildVideo, PARAMETERS, type TestUser } from '../support/build.js';
import { expectProblem } from '../support/problems.js';

interface Dataset {
  id: string;
  user_id?: string;
  name: string;
  tags: string[];
  created_at: string;
  updated_at: string;
}
interface Page {
  datasets: Dataset[];
  nextCursor: string | null;
}

describe('datasets', () => {
  let app: App;
  let user: TestUser;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
  });
  afterAll(() => app.stop());
  beforeEach(async () => {
    user = await buildUser(app);
  });

  const create = (api: ApiClient, body: unknown) =>
    api.post<{ message: string; dataset: Dataset }>('/api/dataset', body);

  it('D1.5 D1.7 D1.8 D1.9 D2.5 creates, reads, renames, retags and deletes', async () => {
    const { status, body } = await create(user.api, { name: '  Traffic 2023 ', tags: ['a', 'b', 'a', ' b '] });
    expect(status).toBe(201);
    const { dataset } = body;
    expect(body.message).toBe('Dataset created successfully');
    expect(dataset).toMatchObject({ user_id: user.id, name: 'Traffic 2023', tags: ['a', 'b'] });
    expect(new Date(dataset.created_at).toISOString()).toBe(dataset.created_at);

    const path = `/api/dataset/${dataset.id}`;
    const { user_id: _owner, ...withoutOwner } = dataset;
    expect((await user.api.get(path)).body).toEqual({ dataset: { ...withoutOwner, videos: [] } });

    const renamed = await user.api.put<{ dataset: Dataset }>(path, { name: 'Night' });
    expect([renamed.status, renamed.body.dataset.name, renamed.body.dataset.tags]).toEqual([200, 'Night', ['a', 'b']]);
    const retagged = await user.api.put<{ dataset: Dataset }>(path, { tags: [] });
    expect([retagged.body.dataset.name, retagged.body.dataset.tags]).toEqual(['Night', []]);
    expect(retagged.body.dataset.updated_at >= dataset.updated_at).toBe(true);

    const deleted = await user.api.delete(path);
    expect([deleted.status, deleted.body]).toEqual([200, { message: 'Dataset deleted successfully' }]);
    expectProblem(await user.api.get(path), 'not-found');
    expectProblem(await user.api.put(path, { name: 'x' }), 'not-found');
    expectProblem(await user.api.delete(path), 'not-found');
  });

  it('D1.5 D1.8 D2.5 keeps names unique per user, and frees the name of a deleted dataset', async () => {
    const name = 'Same name';
    const first = await create(user.api, { name });
    expectProblem(await create(user.api, { name }), 'name-taken');
    const second = await create(user.api, { name: 'Other' });
    expectProblem(await user.api.put(`/api/dataset/${second.body.dataset.id}`, { name }), 'name-taken');
    expect((await create((await buildUser(app)).api, { name })).status).toBe(201);
    await user.api.delete(`/api/dataset/${first.body.dataset.id}`);
    expect((await create(user.api, { name })).status).toBe(201);
  });

  it('lets exactly one of many simultaneous creations have a name', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(user.api, { name: 'Race' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 7 }, () => 409)]);
  });

  it.each(['Ünïcödé 数据集 🎬', 'a'.repeat(200), '../../etc/passwd', "Robert'); DROP TABLE users;--", '%s %n {{x}}'])(
    'keeps the name %j as it is',
    async (name) => {
      const { body } = await create(user.api, { name, tags: [name.slice(0, 64)] });
      const read = await user.api.get<{ dataset: Dataset }>(`/api/dataset/${body.dataset.id}`);
      expect([read.body.dataset.name, read.body.dataset.tags]).toEqual([name, [name.slice(0, 64)]]);
    },
  );

  it.each([
    ['no name', {}, 'name'],
    ['an empty name', { name: '   ' }, 'name'],
    ['a long name', { name: 'a'.repeat(201) }, 'name'],
    ['NUL in the name', { name: '\u0000' }, 'name'],
    ['a line break in the name', { name: 'a\nb' }, 'name'],
    ['a number as the name', { name: 7 }, 'name'],
    ['null as the name', { name: null }, 'name'],
    ['text as tags', { name: 'a', tags: 'a' }, 'tags'],
    ['NUL in a tag', { name: 'a', tags: ['ok', '\u0000'] }, 'tags.1'],
    ['an empty tag', { name: 'a', tags: [''] }, 'tags.0'],
    ['a long tag', { name: 'a', tags: ['a'.repeat(65)] }, 'tags.0'],
    ['too many tags', { name: 'a', tags: Array.from({ length: 51 }, (_, k) => `t${k}`) }, 'tags'],
    ['an owner', { name: 'a', user_id: randomUUID() }, 'user_id'],
  ])('refuses a dataset with %s', async (_name, body, field) => {
    expectProblem(await create(user.api, body), 'validation-failed', field);
  });

  it('refuses an empty change and an unknown field', async () => {
    const { id } = await buildDataset(app, { user });
    expectProblem(await user.api.put(`/api/dataset/${id}`, {}), 'validation-failed');
    expectProblem(await user.api.put(`/api/dataset/${id}`, { nam: 'x' }), 'validation-failed', 'nam');
    expectProblem(await user.api.put(`/api/dataset/${id}`, { name: '\u0000' }), 'validation-failed', 'name');
  });

  it('lets exactly one of many simultaneous renames have a name', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, async () => (await buildDataset(app, { user })).id));
    const answers = await Promise.all(ids.map((id) => user.api.put(`/api/dataset/${id}`, { name: 'Race' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409]);
    const named = await app.sql(`SELECT 1 FROM datasets WHERE user_id = $1 AND name = 'Race'`, [user.id]);
    expect(named).toHaveLength(1);
  });

  it('pages in order of creation, without gaps while others are added and removed', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `dataset ${index}`);
    const ids: string[] = [];
    for (const name of names) ids.push((await create(user.api, { name })).body.dataset.id);
    const first = await user.api.get<Page>('/api/dataset?limit=3');
    expect(first.body.datasets.map(({ name }) => name)).toEqual(names.slice(0, 3));
    expect(first.body.datasets[0]).not.toHaveProperty('user_id');
    await user.api.delete(`/api/dataset/${ids[2]}`);
    await create(user.api, { name: 'late' });
    const second = await user.api.get<Page>(`/api/dataset?limit=3&cursor=${first.body.nextCursor}`);
    const third = await user.api.get<Page>(`/api/dataset?limit=3&cursor=${second.body.nextCursor}`);
    expect([...second.body.datasets, ...third.body.datasets].map(({ name }) => name)).toEqual([
      ...names.slice(3),
      'late',
    ]);
    expect(third.body.nextCursor).toBeNull();
  });

  it('ends exactly at a full page, and shows nothing of others', async () => {
    for (const name of ['a', 'b']) await create(user.api, { name });
    await buildDataset(app);
    const { body } = await user.api.get<Page>('/api/dataset?limit=2');
    expect([body.datasets.length, body.nextCursor]).toEqual([2, null]);
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=1.5',
    'limit=many',
    'limit=1&limit=2',
    'cursor=%00',
    'cursor=bm90LWEtbnVtYmVy',
    `cursor=${Buffer.from('9'.repeat(30)).toString('base64url')}`,
    `cursor=${'a'.repeat(300)}`,
    'tags=',
    'tags=%00',
    'unknown=1',
    '__proto__=1',
  ])('refuses the list ?%s', async (query) => {
    expectProblem(await user.api.get(`/api/dataset?${query}`), 'validation-failed');
  });

  it('D1.6 filters by tags: all of them, from the query and from the body of a GET', async () => {
    await create(user.api, { name: 'one', tags: ['red', 'big'] });
    await create(user.api, { name: 'two', tags: ['red'] });
    await create(user.api, { name: 'three', tags: ['big', "o'clock"] });
    const named = async (query: string) =>
      (await user.api.get<Page>(`/api/dataset${query}`)).body.datasets.map(({ name }) => name);
    expect(await named('?tags=red')).toEqual(['one', 'two']);
    expect(await named('?tags=red&tags=big')).toEqual(['one']);
    expect(await named(`?tags=${encodeURIComponent("o'clock")}`)).toEqual(['three']);
    expect(await named('?tags=re')).toEqual([]);
    expect(await named('?tags=%7Bred%7D')).toEqual([]);
    expect(await getWithBody(app, user, { tags: ['big'] })).toEqual([200, ['one', 'three']]);
    expect(await getWithBody(app, user, { tags: ['big', 'red'] })).toEqual([200, ['one']]);
    expect(await getWithBody(app, user, {})).toEqual([200, ['one', 'two', 'three']]);
    expect(await getWithBody(app, user, { tags: 'big' })).toEqual([422, undefined]);
  });

  it('D1.6 filters by any of the tags where that is asked for, page by page', async () => {
    await create(user.api, { name: 'one', tags: ['red', 'big'] });
    await create(user.api, { name: 'two', tags: ['red'] });
    await create(user.api, { name: 'none', tags: ['green'] });
    await create(user.api, { name: 'three', tags: ['big'] });
    const list = (query: string) => user.api.get<Page>(`/api/dataset?${query}`);
    const named = async (query: string) => (await list(query)).body.datasets.map(({ name }) => name);
    expect(await named('tags=red&tags=big&match=any')).toEqual(['one', 'two', 'three']);
    expect(await named('tags=red&tags=big&match=all')).toEqual(['one']);
    expect(await named('match=any')).toEqual(['one', 'two', 'none', 'three']);
    expect(await getWithBody(app, user, { tags: ['red', 'big'], match: 'any' })).toEqual([
      200,
      ['one', 'two', 'three'],
    ]);
    expect(await getWithBody(app, user, { match: 'some' })).toEqual([422, undefined]);
    expectProblem(await list('match=some'), 'validation-failed', 'match');
    const first = await list('tags=red&tags=big&match=any&limit=2');
    const next = await list(`tags=red&tags=big&match=any&limit=2&cursor=${first.body.nextCursor}`);
    expect([...first.body.datasets, ...next.body.datasets].map(({ name }) => name)).toEqual(['one', 'two', 'three']);
    expect(next.body.nextCursor).toBeNull();
  });

  it('does not know what belongs to somebody else, whatever is asked of it', async () => {
    const { datasetId } = await buildVideo(app, { user });
    const stranger = (await buildUser(app)).api;
    const path = `/api/dataset/${datasetId}`;
    expectProblem(await stranger.get(path), 'not-found');
    expectProblem(await stranger.put(path, { name: 'mine now' }), 'not-found');
    expectProblem(await stranger.delete(path), 'not-found');
    expectProblem(await stranger.upload(datasetId, new Uint8Array([1])), 'not-found');
    const job = { datasetId, range: 'all', parameters: PARAMETERS };
    expectProblem(await stranger.post('/api/inference', job), 'not-found');
    expect((await user.api.get<{ dataset: Dataset & { videos: unknown[] } }>(path)).body.dataset.videos).toHaveLength(
      1,
    );
  });

  it.each(['not-an-id', '1', '00000000', `${randomUUID()}x`, '%00', "'", '🎬'])(
    'answers 404 for the id %j',
    async (id) => {
      const path = `/api/dataset/${encodeURIComponent(id)}`;
      expectProblem(await user.api.get(path), 'not-found');
      expectProblem(await user.api.put(path, { name: 'x' }), 'not-found');
      expectProblem(await user.api.delete(path), 'not-found');
      expectProblem(await user.api.upload(encodeURIComponent(id), new Uint8Array([1])), 'not-found');
      for (const kind of ['status', 'result/json', 'result/zip']) {
        expectProblem(await user.api.get(`/api/inference/${kind}/${encodeURIComponent(id)}`), 'not-found');
      }
    },
  );
});

/** `fetch` sends no body with GET. @returns the status and the names */
function getWithBody(app: App, user: TestUser, body: unknown): Promise<[number, string[] | undefined]> {
  const payload = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = {
      Authorization: `Bearer ${user.token}`,
      'Content-Type': 'application/json',
      'Content-Length': String(Buffer.byteLength(payload)),
    };
    const request = httpRequest(`${app.baseUrl}/api/dataset`, { method: 'GET', headers, agent: false }, (response) => {
      text(response).then((content) => {
        const page = JSON.parse(content) as Partial<Page>;
        resolve([response.statusCode ?? 0, page.datasets?.map(({ name }) => name)]);
      }, reject);
    });
    request.on('error', reject);
    request.end(payload);
  });
}
