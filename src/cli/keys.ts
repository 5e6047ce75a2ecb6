import { rotateReceiptKey } from '../platform/auth/receipt-key.js';
import { createSigningKeys, rotateSigningKeys } from '../platform/auth/signing-keys.js';
import type { Config } from '../platform/config/load-config.js';

/** Makes the key pair of the configured paths; never touches one that is there. @returns the exit code */
export async function makeKeys(config: Config): Promise<number> {
  if (!(await createSigningKeys(config))) {
    process.stderr.write(`infernode: ${config.privateKeyPath} exists; it is not overwritten.\n`);
    return 1;
  }
  process.stdout.write(`Made ${config.privateKeyPath} (keep it secret) and ${config.publicKeyPath}.\n`);
  return 0;
}

/** Puts a new pair in the place of the current one. @returns the exit code */
export async function rotateKeys(config: Config, { force }: { force: boolean }): Promise<number> {
  await rotateSigningKeys(config, { tokenSeconds: config.settings.JWT_EXPIRATION, force });
  process.stdout.write(
    `${config.privateKeyPath} is new; servers that run sign with it within seconds. Tokens of the key before count ` +
      `until they expire; remove ${config.previousPublicKeyPath} to refuse them now.\n`,
  );
  return 0;
}

/** Puts a new key for receipts in the place of the current one. @returns the exit code */
export async function rotateReceiptKeys({ receiptKeyPath }: Config): Promise<number> {
  await rotateReceiptKey(receiptKeyPath);
  process.stdout.write(
    `${receiptKeyPath} is new; servers that run sign receipts with it within seconds. Those of the key before can be ` +
      'verified as before: its public half stays in the key set.\n',
  );
  return 0;
}
