import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ApiUser } from './support/api-user.js';
import { expectBalancedLedger } from './support/evidence.js';
import { withInstallation } from './support/installation.js';

const SEQUELIZE_CLI = fileURLToPath(new URL('../../node_modules/sequelize-cli/lib/sequelize', import.meta.url));
const SEQUELIZE_OPTIONS = fileURLToPath(new URL('../../.sequelizerc', import.meta.url));
const SEED_PASSWORD = 'known to the tests';
/** sysexits.h: EX_CONFIG. */
const EXIT_CONFIG = 78;
const TEST_MS = 120_000;

describe('a configuration that cannot be', () => {
  it(
    'each mistake is one clear line, and nothing is started',
    () =>
      withInstallation({ database: 'embedded' }, async (installation) => {
        const refusals: { settings: Record<string, string>; line: string | RegExp }[] = [
          { settings: { PORT: 'eighty' }, line: 'infernode: PORT: must be a whole number (is "eighty")' },
          { settings: { PORT: '70000' }, line: /^infernode: PORT: .*65535.* \(is "70000"\)$/ },
          { settings: { DATABASE_URL: 'mysql://db/x' }, line: /^infernode: DATABASE_URL: must start with postgres/ },
        ];
        for (const { settings, line } of refusals) {
          const { code, stdout, stderr } = await installation.run(['all'], settings);
          expect({ code, stdout, lines: linesOf(stderr) }).toEqual({
            code: EXIT_CONFIG,
            stdout: '',
            lines: [typeof line === 'string' ? line : (expect.stringMatching(line) as string)],
          });
        }
        for (const role of ['api', 'worker', 'scheduler']) {
          const { code, stderr } = await installation.run([role]);
          expect(code).toBe(EXIT_CONFIG);
          expect(linesOf(stderr)).toEqual([
            `infernode: the role ${role} needs a database that several processes share: set DATABASE_URL (or run "infernode all")`,
          ]);
        }
        expect(await installation.processes()).toEqual([]);
      }),
    TEST_MS,
  );

  it(
    'an unknown name in .env is named, with the one that was meant',
    () =>
      withInstallation({ database: 'embedded' }, async (installation) => {
        await writeFile(path.join(installation.folder, '.env'), 'JOB_LEESE=10s\nPORT=0\n');
        const { code, stderr } = await installation.run(['all']);
        expect(code).toBe(EXIT_CONFIG);
        expect(linesOf(stderr)).toEqual([
          'infernode: JOB_LEESE: there is no such setting (in .env); did you mean JOB_LEASE?',
        ]);
      }),
    TEST_MS,
  );
});

describe('the command for keys', () => {
  it(
    'D6.1 makes a pair once, never touches one that is there, and replaces it only when told to rotate',
    () =>
      withInstallation({ database: 'embedded' }, async (installation) => {
        const file = path.join(installation.folder, 'keys/private.key');
        expect((await installation.run(['keys'])).code).toBe(0);
        const key = await readFile(file, 'utf8');
        const again = await installation.run(['keys']);
        expect(again.code).toBe(1);
        expect(linesOf(again.stderr)).toEqual([`infernode: ${file} exists; it is not overwritten.`]);
        expect(await readFile(file, 'utf8')).toBe(key);
        expect((await installation.run(['keys', '--force'])).code).toBe(64);
        expect((await installation.run(['keys', 'rotate'])).code).toBe(0);
        expect(await readFile(file, 'utf8')).not.toBe(key);
      }),
    TEST_MS,
  );
});

describe('infernode migrate', () => {
  it(
    'works on its own, next to the running server, and again',
    () =>
      withInstallation({}, async (installation) => {
        await expectMigrated(installation.run(['migrate']));
        await installation.expectNoProcesses();
        const server = await installation.start();
        const user = await ApiUser.register(server.baseUrl);
        await expectMigrated(installation.run(['migrate']));
        expect(await user.credits()).toBe(100);
      }),
    TEST_MS,
  );
});

describe('infernode ledger verify', () => {
  it(
    'finds a clean ledger clean and a forged one not, alone and next to the running server',
    () =>
      withInstallation({}, async (installation) => {
        const server = await installation.start();
        const user = await ApiUser.register(server.baseUrl);
        expect(await user.credits()).toBe(100);
        const clean = await installation.run(['ledger', 'verify']);
        expect(clean).toMatchObject({
          code: 0,
          stdout: expect.stringContaining('The ledger is clean: 2 accounts') as string,
        });
        await installation.query(
          "ALTER TABLE users DISABLE TRIGGER ALL; UPDATE users SET credit = credit + 1 WHERE role = 'user'; ALTER TABLE users ENABLE TRIGGER ALL",
        );
        const forged = await installation.run(['ledger', 'verify']);
        expect(forged).toMatchObject({ code: 1, stdout: expect.stringContaining('found     101') as string });
        await server.stop();
        const json = await installation.run(['ledger', 'verify', '--json']);
        expect(json.code).toBe(1);
        expect(JSON.parse(json.stdout)).toMatchObject({ clean: false, difference: { check: 'balance', found: '101' } });
        expect((await installation.run(['ledger', 'mend'])).code).toBe(64);
        await installation.expectNoProcesses();
      }),
    TEST_MS,
  );
});

describe('sequelize-cli', () => {
  const commands = ['db:migrate', 'db:seed:all', 'db:migrate', 'db:seed:all'];

  it(
    'migrates and seeds an empty database, and again next to the running server, without doubling anything',
    () =>
      withInstallation({}, async (installation) => {
        const seed = async (): Promise<void> => {
          for (const command of commands) {
            const { code, stderr } = await installation.run(
              [command, '--options-path', SEQUELIZE_OPTIONS],
              { SEED_PASSWORD },
              SEQUELIZE_CLI,
            );
            expect({ command, code, stderr }).toMatchObject({ command, code: 0 });
          }
        };
        await seed();
        await installation.expectNoProcesses();
        const accounts = await installation.query<{ email: string; credit: number }>('SELECT email, credit FROM users');
        expect(accounts).toHaveLength(5);
        await expectBalancedLedger(installation);

        const server = await installation.start();
        const answer = await fetch(`${server.baseUrl}/api/auth/login`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ email: 'ada@example.com', password: SEED_PASSWORD }),
        });
        expect(answer.status).toBe(200);
        await seed();
        expect(await installation.query('SELECT id FROM users')).toHaveLength(5);
        await expectBalancedLedger(installation);
      }),
    TEST_MS,
  );
});

async function expectMigrated(command: Promise<{ code: number | null; stdout: string }>): Promise<void> {
  const { code, stdout } = await command;
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'The database is up to date.\n' });
}

function linesOf(text: string): string[] {
  return text.trimEnd().split('\n');
}
