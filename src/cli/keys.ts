import { parseArgs } from 'node:util';
import { createSigningKeys, rotateSigningKeys } from '../platform/auth/signing-keys.js';
import { ConfigError, loadConfig, type Config } from '../platform/config/load-config.js';

const USAGE = 'Usage: npm run keys [-- rotate [--force]]\n';
/** sysexits.h: EX_USAGE. */
const EXIT_USAGE = 64;

/** `npm run keys`: makes the key pair of the configured paths, and replaces it only when told to rotate. */
async function main(words: string[]): Promise<number> {
  const command = commandOf(words);
  if (command === null) {
    process.stderr.write(USAGE);
    return EXIT_USAGE;
  }
  try {
    const config = loadConfig({ env: process.env, cwd: process.cwd(), readDotenv: true });
    return await (command.rotate ? rotate(config, command.force) : create(config));
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [(error as Error).message];
    for (const problem of problems) process.stderr.write(`infernode: ${problem}\n`);
    return 1;
  }
}

function commandOf(words: string[]): { rotate: boolean; force: boolean } | null {
  try {
    const { values, positionals } = parseArgs({
      args: words,
      options: { force: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    const rotate = positionals.length === 1 && positionals[0] === 'rotate';
    return rotate || (positionals.length === 0 && !values.force) ? { rotate, force: values.force } : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true) return null;
    throw error;
  }
}

async function create(config: Config): Promise<number> {
  if (!(await createSigningKeys(config))) {
    process.stderr.write(`infernode: ${config.privateKeyPath} exists; it is not overwritten.\n`);
    return 1;
  }
  process.stdout.write(`Made ${config.privateKeyPath} (keep it secret) and ${config.publicKeyPath}.\n`);
  return 0;
}

async function rotate(config: Config, force: boolean): Promise<number> {
  await rotateSigningKeys(config, { tokenSeconds: config.settings.JWT_EXPIRATION, force });
  process.stdout.write(
    `${config.privateKeyPath} is new; servers that run sign with it within seconds. Tokens of the key before count ` +
      `until they expire; remove ${config.previousPublicKeyPath} to refuse them now.\n`,
  );
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
