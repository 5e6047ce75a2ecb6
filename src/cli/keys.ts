import { ConfigError, loadConfig } from '../platform/config/load-config.js';
import { createSigningKeys } from '../platform/auth/signing-keys.js';

/** `npm run keys`: makes the key pair of the configured paths; never touches one that is there. */
async function main(): Promise<number> {
  try {
    const config = loadConfig({ env: process.env, cwd: process.cwd(), readDotenv: true });
    if (!(await createSigningKeys(config))) {
      process.stderr.write(`infernode: ${config.privateKeyPath} exists; it is not overwritten.\n`);
      return 1;
    }
    process.stdout.write(`Made ${config.privateKeyPath} (keep it secret) and ${config.publicKeyPath}.\n`);
    return 0;
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [(error as Error).message];
    for (const problem of problems) process.stderr.write(`infernode: ${problem}\n`);
    return 1;
  }
}

process.exitCode = await main();
