/**
 * Adds up Vitest's JSON reports and prints `N passed, N failed` alone on the last line.
 *
 *   node scripts/sum-tests.mjs REPORT...
 *
 * A file of tests that could not even be loaded counts as one failure, and so does a report that is missing: a run that
 * crashed must not look like one without tests. Exits with 1 when anything failed.
 */
import { existsSync, readFileSync } from 'node:fs';

const total = { passed: 0, failed: 0, skipped: 0 };
for (const file of process.argv.slice(2)) {
  if (!existsSync(file)) {
    console.error(`No test report at ${file}.`);
    total.failed += 1;
    continue;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  const unloadable = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  for (const { name } of unloadable) console.error(`Failed outside of its tests: ${name}`);
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests + unloadable.length;
  total.skipped += report.numPendingTests + report.numTodoTests;
}
if (total.skipped > 0) console.log(`${total.skipped} skipped`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
