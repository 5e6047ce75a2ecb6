import { checkLedger } from '../composition/ledger-check.js';
import type { LedgerReport } from '../modules/ledger-check/ledger-check.service.js';
import type { Config } from '../platform/config/load-config.js';
import type { Logger } from '../platform/logging/logger.js';

/** Tells whether all credits are where they should be. @returns the exit code: 0 when they are, 1 for a difference */
export async function runLedgerVerify(config: Config, logger: Logger, options: { json: boolean }): Promise<number> {
  const report = await checkLedger(config, logger);
  process.stdout.write(options.json ? `${JSON.stringify(toJson(report))}\n` : toText(report));
  return report.difference === null ? 0 : 1;
}

const toJson = ({ difference, checked }: LedgerReport) => ({ clean: difference === null, checked, difference });

function toText({ difference, checked: { users, entries, jobs, videos } }: LedgerReport): string {
  if (difference === null) {
    return `The ledger is clean: ${users} accounts, ${entries} entries, ${jobs} jobs, ${videos} videos.\n`;
  }
  const { check, userId, entryId, subject, expected, found } = difference;
  return [
    `The first difference (${check}):`,
    `  account   ${userId}`,
    ...(entryId === null ? [] : [`  entry     ${entryId}`]),
    ...(subject === null ? [] : [`  about     ${subject.type} ${subject.id}`]),
    `  expected  ${expected}`,
    `  found     ${found}`,
    '',
  ].join('\n');
}
