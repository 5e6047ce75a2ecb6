import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * Writes the sums of pytest's JUnit file as a report that `sum-tests.mjs` adds up with those of Vitest.
 *
 * @param {string} junit path of the file; when it is missing, so is the report, which then counts as a failure
 * @param {string} report path to write to
 */
export function writePytestReport(junit, report) {
  if (!existsSync(junit)) return;
  const suite = /<testsuite [^>]*>/.exec(readFileSync(junit, 'utf8'))?.[0] ?? '';
  const count = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  const skipped = count('skipped');
  const sums = {
    numPassedTests: count('tests') - failed - skipped,
    numFailedTests: failed,
    numPendingTests: skipped,
    numTodoTests: 0,
    testResults: [],
  };
  writeFileSync(report, JSON.stringify(sums));
}
