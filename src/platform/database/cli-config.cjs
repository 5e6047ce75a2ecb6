'use strict';

/**
 * What sequelize-cli connects to: the database of the same settings that the application reads. Without an external one
 * it uses the embedded database: the running server's, or one that lives as long as this command.
 */
const { existsSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

module.exports = async () => {
  const { cliConnection } = await loadModule('platform/database/cli-connection');
  const connection = await cliConnection();
  return {
    dialect: 'postgres',
    host: connection.host,
    port: connection.port,
    username: connection.username,
    password: connection.password,
    database: connection.database,
    logging: false,
    seederStorage: 'sequelize',
    seederStorageTableName: 'SequelizeData',
    migrationStorageTableName: 'SequelizeMeta',
    ...(connection.ssl ? { dialectOptions: { ssl: { rejectUnauthorized: true } } } : {}),
  };
};

/** The build, or the source where there is no build (then tsx has to be installed). */
async function loadModule(name) {
  const root = path.resolve(__dirname, '../../..');
  const built = path.join(root, 'dist', `${name}.js`);
  if (existsSync(built)) return import(pathToFileURL(built).href);
  const { tsImport } = await import('tsx/esm/api');
  return tsImport(path.join(root, 'src', `${name}.ts`), __filename);
}
