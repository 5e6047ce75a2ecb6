import { defineConfig } from 'vitest/config';

/** Tests of the whole application, in this process or as processes of its own; they share one PostgreSQL. */
const APPLICATION = ['tests/api/**/*.test.ts', 'tests/races/**/*.test.ts', 'tests/e2e/**/*.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Most tests wait for processes of their own: a core kept free would stay idle.
    maxWorkers: '100%',
    projects: [
      {
        extends: true,
        test: { name: 'parts', include: ['src/**/*.test.ts', 'tests/**/*.test.ts'], exclude: APPLICATION },
      },
      {
        extends: true,
        test: { name: 'application', include: APPLICATION, globalSetup: ['tests/support/global-setup.ts'] },
      },
    ],
  },
});
