import { LedgerCheckQueries } from '../modules/ledger-check/ledger-check.queries.js';
import { LedgerCheckService, type LedgerReport } from '../modules/ledger-check/ledger-check.service.js';
import type { Config } from '../platform/config/load-config.js';
import { connectDatabase } from '../platform/database/connect.js';
import { inSnapshot } from '../platform/database/snapshot.js';
import type { Logger } from '../platform/logging/logger.js';
import { connectForTool } from './migration.js';

/** Checks the ledger of an installation, next to its running server or with its database started for the moment. */
export async function checkLedger(config: Config, logger: Logger): Promise<LedgerReport> {
  const { connection, stop } = await connectForTool(config, logger);
  const sequelize = connectDatabase({ connection, poolSize: 1, applicationName: 'infernode ledger', logger });
  try {
    return await inSnapshot(sequelize, (scope) => new LedgerCheckService(new LedgerCheckQueries(scope)).run());
  } finally {
    await sequelize.close();
    await stop();
  }
}
