import type { Model, ModelStatic } from 'sequelize';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MIGRATIONS_DIR } from '../../src/composition/migration.js';
import { connectDatabase, QUEUE_SCHEMA, type DatabaseConnection } from '../../src/platform/database/connect.js';
import { migrateDatabase } from '../../src/platform/database/migrate.js';
import { defineModels } from '../../src/platform/database/model-registry.js';
import { silentLogger } from '../support/silent-logger.js';
import { createTestDatabase, dropTestDatabase, query } from '../support/test-database.js';

describe('migrations', () => {
  let connection: DatabaseConnection;
  beforeAll(async () => {
    connection = await createTestDatabase(inject('databaseServer'));
  });
  afterAll(() => dropTestDatabase(inject('databaseServer'), connection.database));

  const open = () => connectDatabase({ connection, poolSize: 2, applicationName: 'tests', logger: silentLogger });

  async function migrate(): Promise<void> {
    const sequelize = open();
    try {
      await migrateDatabase({
        sequelize,
        connection,
        migrationsDir: MIGRATIONS_DIR,
        queueInDatabase: true,
        logger: silentLogger,
      });
    } finally {
      await sequelize.close();
    }
  }

  it('are applied once, however many processes start at the same time', async () => {
    await Promise.all(Array.from({ length: 6 }, migrate));
    await migrate();
    const applied = await query<{ name: string }>(connection, 'SELECT name FROM "SequelizeMeta" ORDER BY name');
    expect(applied.length).toBeGreaterThan(0);
    expect(new Set(applied.map(({ name }) => name)).size).toBe(applied.length);
    expect(
      await query(connection, 'SELECT 1 FROM information_schema.tables WHERE table_schema = $1', [QUEUE_SCHEMA]),
    ).not.toHaveLength(0);
  });

  it('make exactly the columns that the models describe, and allow null where they do', async () => {
    await migrate();
    const sequelize = open();
    try {
      const described = (Object.values(defineModels(sequelize)) as ModelStatic<Model>[]).flatMap((model) =>
        Object.values(model.getAttributes()).map((attribute) => ({
          table: model.getTableName() as string,
          column: String(attribute.field),
          // What the database fills in has no say on null in the model.
          required: attribute.allowNull === false || attribute.primaryKey === true,
        })),
      );
      const columns = await query<{ table: string; column: string; nullable: boolean; filled: boolean }>(
        connection,
        `SELECT table_name AS table, column_name AS column, is_nullable = 'YES' AS nullable,
                (column_default IS NOT NULL OR is_identity = 'YES') AS filled
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'SequelizeMeta'`,
      );
      const name = ({ table, column }: { table: string; column: string }): string => `${table}.${column}`;
      expect(described.map(name).sort()).toEqual(columns.map(name).sort());
      const mismatches = columns.filter((column) => {
        const { required } = described.find((candidate) => name(candidate) === name(column))!;
        return column.nullable ? required : !required && !column.filled;
      });
      expect(mismatches).toEqual([]);
    } finally {
      await sequelize.close();
    }
  });
});
