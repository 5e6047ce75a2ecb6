import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInContext } from '../../src/platform/context.js';
import type { NewAuditEntry } from '../../src/modules/audit/audit.domain.js';
import { startApp, type App } from '../support/app.js';
import { buildAdmin, buildUser, type TestUser } from '../support/build.js';
import { expectProblem } from '../support/problems.js';

interface Listed {
  entries: { id: string; actor: { id: string; email: string } | null; action: string; target: { id: string } }[];
  nextCursor: string | null;
}

describe('the audit log', () => {
  let app: App;
  let admin: TestUser;
  beforeAll(async () => {
    app = await startApp({ parts: ['http'] });
    admin = await buildAdmin(app);
  });
  afterAll(() => app.stop());

  const record = (entry: Partial<NewAuditEntry>): Promise<void> =>
    app.container.infrastructure.uow.run(({ repositories }) =>
      repositories.audit.record({
        actorId: admin.id,
        action: 'user.rename',
        targetType: 'user',
        targetId: randomUUID(),
        ...entry,
      }),
    );
  const list = async (query: string): Promise<Listed> => (await admin.api.get<Listed>(`/api/admin/audit${query}`)).body;

  it('shows who did what to whom, from where', async () => {
    const target = randomUUID();
    await runInContext({ requestId: 'request-1', address: '192.0.2.7' }, () =>
      record({ targetId: target, detail: { from: 'a', to: 'b' } }),
    );
    expect(await list(`?target=${target}`)).toEqual({
      entries: [
        {
          id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
          actor: { id: admin.id, email: admin.email },
          action: 'user.rename',
          target: { type: 'user', id: target },
          detail: { from: 'a', to: 'b' },
          request_id: 'request-1',
          address: '192.0.2.7',
          created_at: expect.any(String),
        },
      ],
      nextCursor: null,
    });
  });

  it('lists newest first, page by page, by action and by actor', async () => {
    const other = await buildUser(app);
    const targets = Array.from({ length: 5 }, () => randomUUID());
    for (const targetId of targets) await record({ actorId: other.id, action: 'keys.rotate', targetId });
    await record({ actorId: null, action: 'keys.retire' });
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Listed = await list(`?actor=${other.id}&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(page.entries.length).toBeLessThanOrEqual(2);
      seen.push(...page.entries.map(({ target }) => target.id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(targets.toReversed());
    expect((await list('?action=keys.rotate')).entries).toHaveLength(5);
    expect((await list('?action=keys.retire')).entries).toMatchObject([{ actor: null }]);
    expect((await list(`?action=keys.retire&actor=${other.id}`)).entries).toEqual([]);
  });

  it('keeps nothing of a deed that was rolled back', async () => {
    const targetId = randomUUID();
    const undone = app.container.infrastructure.uow.run(async ({ repositories }) => {
      await repositories.audit.record({ actorId: admin.id, action: 'user.rename', targetType: 'user', targetId });
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect((await list(`?target=${targetId}`)).entries).toEqual([]);
  });

  it('is for administrators, and refuses filters that make no sense', async () => {
    const { api } = await buildUser(app);
    expectProblem(await api.get('/api/admin/audit'), 'forbidden');
    expectProblem(await admin.api.get('/api/admin/audit?action=Rename'), 'validation-failed', 'action');
    expectProblem(await admin.api.get('/api/admin/audit?actor=me'), 'validation-failed', 'actor');
    expectProblem(await admin.api.get('/api/admin/audit?cursor=zzz'), 'validation-failed', 'cursor');
    expectProblem(await admin.api.get('/api/admin/audit?limit=0'), 'validation-failed', 'limit');
  });

  it('cannot be changed afterwards', async () => {
    await record({});
    await expect(app.sql(`UPDATE audit_entries SET action = 'a.b'`)).rejects.toThrow('append-only');
    await expect(app.sql('DELETE FROM audit_entries')).rejects.toThrow('append-only');
    await expect(app.sql('TRUNCATE audit_entries')).rejects.toThrow('append-only');
  });
});
