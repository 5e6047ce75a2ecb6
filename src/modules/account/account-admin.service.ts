import { AppError, notFound } from '../../platform/app-error.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Page } from '../../platform/page.js';
import type { AuditRepository } from '../audit/audit.repository.js';
import type { SessionRepository } from '../session/session.repository.js';
import type { Account, AccountChange, AccountFilter } from './account.domain.js';
import type { AccountRepository } from './account.repository.js';

interface Repositories {
  accounts: AccountRepository;
  audit: AuditRepository;
  sessions: SessionRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
}

/** What administrators do with the accounts of others. */
export class AccountAdminService {
  constructor(private readonly deps: Deps) {}

  list(filter: AccountFilter): Promise<Page<Account>> {
    return this.deps.repositories.accounts.list(filter);
  }

  /**
   * Doing it again changes nothing and leaves no second entry in the audit log.
   * @throws AppError not-found; last-administrator
   */
  update(actorId: string, id: string, change: AccountChange): Promise<Account> {
    return this.deps.uow.run(async ({ repositories }) => {
      const { accounts } = repositories;
      const takesPower = change.role === 'user' || change.disabled === true;
      // All at once and in one order: two administrators who disable each other wait for each other here.
      const admins = takesPower ? await accounts.holdActiveAdmins() : [];
      const before = await accounts.hold(id);
      if (before === null) throw notFound('user');
      if (admins.length === 1 && admins[0] === id) {
        throw new AppError(
          'last-administrator',
          'Give another account the role first: this is the last administrator.',
        );
      }
      const after = await accounts.change(id, change);
      await recordChanges(repositories, actorId, before, after);
      return after;
    });
  }
}

async function recordChanges({ audit, sessions }: Repositories, actorId: string, before: Account, after: Account) {
  const target = { actorId, targetType: 'user', targetId: after.id };
  if (after.role !== before.role) {
    await audit.record({ ...target, action: 'user.change-role', detail: { from: before.role, to: after.role } });
  }
  const [was, is] = [before.disabledAt !== null, after.disabledAt !== null];
  if (was === is) return;
  await audit.record({ ...target, action: is ? 'user.disable' : 'user.enable' });
  if (is) await sessions.endAll(after.id, null, 'user-disabled');
}
