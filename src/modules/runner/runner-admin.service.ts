import { randomUUID } from 'node:crypto';
import { RUNNER_SCHEMES } from '../../contract/runner.contract.js';
import { AppError, invalidField } from '../../platform/app-error.js';
import type { SecretBox } from '../../platform/auth/secret-box.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Once } from '../../platform/once.js';
import type { Page, PageRequest } from '../../platform/page.js';
import type { RunnerDescription } from '../../runners/runner.port.js';
import type { AuditRepository } from '../audit/audit.repository.js';
import type { AuditAction, AuditDetail } from '../audit/audit.domain.js';
import type { RunnerHealthService } from './runner-health.service.js';
import {
  EMBEDDED_NAME,
  type LoadedRunner,
  type RunnerChange,
  type RunnerEvent,
  type RunnerIdentity,
} from './runner.domain.js';
import type { HealthReport, RunnerRepository } from './runner.repository.js';

interface Repositories {
  audit: AuditRepository;
  runners: RunnerRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  secrets: SecretBox;
  health: RunnerHealthService;
  /** What a runner says of itself before anybody has asked it. @throws when no client can be made of the row */
  describe(runner: RunnerIdentity): Promise<RunnerDescription>;
}

export interface RunnerFields {
  name: string;
  kind: string;
  url: string;
  token?: string | undefined;
  slots?: number | undefined;
  models?: readonly string[] | undefined;
  enabled: boolean;
}

export interface RunnerFieldChange {
  name?: string | undefined;
  url?: string | undefined;
  token?: string | null | undefined;
  slots?: number | null | undefined;
  models?: readonly string[] | null | undefined;
  enabled?: boolean | undefined;
}

/** What administrators do with runners. Each deed is written to the audit log; none of them waits for a runner but `test`. */
export class RunnerAdminService {
  constructor(private readonly deps: Deps) {}

  list(page: PageRequest): Promise<Page<LoadedRunner>> {
    return this.deps.repositories.runners.list(page);
  }

  /** @throws AppError not-found */
  get(id: string): Promise<LoadedRunner> {
    return this.deps.repositories.runners.get(id);
  }

  /** @throws AppError not-found */
  async events(id: string, page: PageRequest): Promise<Page<RunnerEvent>> {
    await this.get(id);
    return this.deps.repositories.runners.listEvents(id, page);
  }

  /** @throws AppError validation-failed, name-taken */
  create(actorId: string, fields: RunnerFields, once: Once<LoadedRunner>): Promise<LoadedRunner> {
    const { name, kind, url, token, slots = null, models = null, enabled } = fields;
    return this.deps.uow.run(
      async ({ repositories: { runners, audit } }) => {
        checkName(name);
        checkUrl(kind, url);
        const id = randomUUID();
        const sealedToken = token === undefined ? null : this.deps.secrets.seal(token, id);
        const identity = { id, name, kind, url, sealedToken, slots, models };
        const description = await this.deps.describe(identity);
        await runners.create({ ...identity, origin: 'admin', description });
        if (!enabled) await runners.disable(id, 'admin');
        await record(audit, actorId, 'runner.add', id, { name, kind, url });
        return runners.get(id);
      },
      { once },
    );
  }

  /** @throws AppError not-found, validation-failed, name-taken, runner-configured */
  update(actorId: string, id: string, { enabled, ...fields }: RunnerFieldChange): Promise<LoadedRunner> {
    return this.deps.uow.run(async ({ repositories: { runners, audit } }) => {
      const before = await runners.hold(id);
      const change = this.toChange(before, fields);
      if (Object.keys(change).length > 0) {
        if (before.origin === 'configuration') throw belongsToSettings('changed');
        await runners.change(id, change, await this.deps.describe({ ...before, ...change }));
        await record(audit, actorId, 'runner.change', id, { fields: Object.keys(fields).join(', ') });
      }
      const wasEnabled = before.disabledBy === null;
      if (enabled !== undefined && enabled !== wasEnabled) {
        if (before.disabledBy === 'configuration') throw belongsToSettings('switched on');
        await runners.disable(id, enabled ? null : 'admin');
        await record(audit, actorId, enabled ? 'runner.enable' : 'runner.disable', id, { name: before.name });
      }
      return runners.get(id);
    });
  }

  /** @throws AppError not-found, runner-in-use, runner-configured */
  async remove(actorId: string, id: string): Promise<void> {
    await this.deps.uow.run(async ({ repositories: { runners, audit } }) => {
      const { name, origin, disabledBy, inFlight } = await runners.hold(id);
      const isInSettings = origin === 'configuration' && disabledBy !== 'configuration';
      if (isInSettings) throw belongsToSettings('removed');
      if (inFlight > 0) {
        const detail = `${inFlight} ${inFlight === 1 ? 'job runs' : 'jobs run'} on it. Drain it first, and wait for their end.`;
        throw new AppError('runner-in-use', detail);
      }
      await runners.remove(id);
      await record(audit, actorId, 'runner.remove', id, { name });
    });
  }

  /** @throws AppError not-found */
  drain(actorId: string, id: string): Promise<LoadedRunner> {
    return this.deps.uow.run(async ({ repositories: { runners, audit } }) => {
      const before = await runners.hold(id);
      if (before.draining) return before;
      await runners.drain(id);
      await record(audit, actorId, 'runner.drain', id, { name: before.name });
      return runners.get(id);
    });
  }

  /** @throws AppError not-found */
  resume(actorId: string, id: string): Promise<LoadedRunner> {
    return this.deps.uow.run(async ({ repositories: { runners, audit } }) => {
      const before = await runners.hold(id);
      const isHeldBack = before.draining || before.breaker.failures > 0 || before.notBefore !== null;
      if (!isHeldBack) return before;
      await runners.resume(id);
      await record(audit, actorId, 'runner.resume', id, { name: before.name });
      return runners.get(id);
    });
  }

  /**
   * Asks the runner how it is, now.
   * @throws AppError not-found
   */
  async test(actorId: string, id: string): Promise<{ runner: LoadedRunner; report: HealthReport }> {
    const report = await this.deps.health.check(await this.get(id));
    await this.deps.uow.run(({ repositories: { audit } }) =>
      record(audit, actorId, 'runner.test', id, { state: report.state }),
    );
    return { runner: await this.get(id), report };
  }

  /** What differs from the row, as the row has it. */
  private toChange(before: LoadedRunner, fields: Omit<RunnerFieldChange, 'enabled'>): RunnerChange {
    const { name, url, token, slots, models } = fields;
    if (name !== undefined && name !== before.name) checkName(name);
    if (url !== undefined) checkUrl(before.kind, url);
    return {
      ...(name === undefined || name === before.name ? {} : { name }),
      ...(url === undefined || url === before.url ? {} : { url }),
      ...(token === undefined ? {} : { sealedToken: token === null ? null : this.deps.secrets.seal(token, before.id) }),
      ...(slots === undefined || slots === before.slots ? {} : { slots }),
      ...(models === undefined ? {} : { models }),
    };
  }
}

function checkName(name: string): void {
  if (name === EMBEDDED_NAME) throw invalidField('name', 'This is the name of the engine inside the workers.');
}

function checkUrl(kind: string, url: string): void {
  const schemes = (RUNNER_SCHEMES as Readonly<Record<string, readonly string[] | undefined>>)[kind] ?? [];
  if (schemes.includes(new URL(url).protocol)) return;
  const list = schemes.map((scheme) => `${scheme}//`).join(', ');
  throw invalidField('url', `A runner of the kind ${kind} is reached by ${list}.`);
}

const belongsToSettings = (done: string): AppError =>
  new AppError(
    'runner-configured',
    `This runner follows the settings of the installation at each start: it is ${done} there. What they name can be switched off and drained, what they no longer name can be removed.`,
  );

function record(
  audit: AuditRepository,
  actorId: string,
  action: AuditAction,
  id: string,
  detail: AuditDetail,
): Promise<void> {
  return audit.record({ actorId, action, targetType: 'runner', targetId: id, detail });
}
