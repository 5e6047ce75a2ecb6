import { randomUUID } from 'node:crypto';
import { AppError } from '../../platform/app-error.js';
import { SecretBoxError, type SecretBox } from '../../platform/auth/secret-box.js';
import type { RunnerSetting } from '../../platform/config/runner-settings.js';
import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Logger } from '../../platform/logging/logger.js';
import type { Runner, RunnerDescription } from '../../runners/runner.port.js';
import {
  EMBEDDED_KIND,
  EMBEDDED_NAME,
  type NewRunner,
  type RunnerIdentity,
  type RunnerRecord,
} from './runner.domain.js';
import type { RunnerRepository } from './runner.repository.js';

interface Repositories {
  runners: RunnerRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  secrets: SecretBox;
  /** The engine inside this process; null where it has none. */
  embedded: Runner | null;
  /** As settings have them. */
  configured: readonly RunnerSetting[];
  /** What a runner says of itself before anybody has asked it. @throws when no client can be made of the row */
  describe(runner: RunnerIdentity): Promise<RunnerDescription>;
  logger: Logger;
}

/** Two processes that start at once may meet; the second finds what the first has made. */
const TRIES = 3;

/** Brings the rows of runners in line with the settings, when a process starts. */
export class RunnerSetupService {
  constructor(private readonly deps: Deps) {}

  /** Adds and changes what settings say. Runners that they no longer name stay as they are. */
  async apply(): Promise<void> {
    if (this.deps.embedded !== null) await this.ensureEmbedded(this.deps.embedded.describe());
    for (const runner of this.deps.configured) await this.ensure(runner);
  }

  /** Switches off runners that settings no longer name; for processes that run jobs, whose settings count. */
  async retireUnnamed(): Promise<void> {
    const names = this.deps.configured.map(({ name }) => name);
    await this.deps.uow.run(async ({ repositories: { runners } }) => {
      for (const { id, name, disabledBy } of await runners.configuredBut(names)) {
        if (disabledBy === 'configuration') continue;
        await runners.disable(id, 'configuration');
        this.deps.logger.warn('A runner that the settings no longer name is switched off', { runner: name });
      }
    });
  }

  private ensureEmbedded(description: RunnerDescription): Promise<void> {
    return this.again(async (runners) => {
      if ((await runners.findByName(EMBEDDED_NAME)) !== null) return;
      const facts = { url: null, sealedToken: null, slots: null, models: null, origin: 'configuration' } as const;
      await runners.create({ id: randomUUID(), name: EMBEDDED_NAME, kind: EMBEDDED_KIND, ...facts, description });
    });
  }

  private async ensure(configured: RunnerSetting): Promise<void> {
    const { name, kind, url, token, slots, models } = configured;
    await this.again(async (runners) => {
      const found = await runners.findByName(name);
      const id = found?.id ?? randomUUID();
      const sealedToken = token === null ? null : this.seal(token, id, found?.sealedToken ?? null);
      const wanted = { id, name, kind, url, sealedToken, slots, models };
      if (found === null) {
        const description = await this.deps.describe(wanted);
        await runners.create({ ...wanted, origin: 'configuration', description } satisfies NewRunner);
        return;
      }
      if (found.origin === 'admin') await runners.adopt(id);
      if (found.disabledBy === 'configuration') await runners.disable(id, null);
      if (isSame(found, wanted)) return;
      await runners.change(id, { kind, url, sealedToken, slots, models }, await this.deps.describe(wanted));
    });
  }

  /** A token that is sealed already keeps its seal, so that the row stays the same. */
  private seal(token: string, id: string, sealedBefore: string | null): string {
    const { secrets } = this.deps;
    try {
      if (sealedBefore !== null && secrets.open(sealedBefore, id) === token) return sealedBefore;
    } catch (error) {
      if (!(error instanceof SecretBoxError)) throw error;
      this.deps.logger.warn('The token of a runner was sealed with another key; it is sealed anew', { runnerId: id });
    }
    return secrets.seal(token, id);
  }

  private async again(work: (runners: RunnerRepository) => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.deps.uow.run(({ repositories: { runners } }) => work(runners));
        return;
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'name-taken') || tries === TRIES) throw error;
      }
    }
  }
}

function isSame(found: RunnerRecord, { kind, url, sealedToken, slots, models }: RunnerIdentity): boolean {
  return (
    found.kind === kind &&
    found.url === url &&
    found.sealedToken === sealedToken &&
    found.slots === slots &&
    JSON.stringify(found.models) === JSON.stringify(models)
  );
}
