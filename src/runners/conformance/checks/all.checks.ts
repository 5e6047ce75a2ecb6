import type { Check } from '../check.js';
import { cancelChecks } from './cancel.checks.js';
import { identityChecks } from './identity.checks.js';
import { inputChecks } from './input.checks.js';
import { loadChecks } from './load.checks.js';
import { progressChecks } from './progress.checks.js';
import { resultChecks } from './result.checks.js';

/** Every promise of the runner port, in the order in which they are tested: what others build on comes first. */
export const CHECKS: readonly Check[] = [
  ...identityChecks,
  ...resultChecks,
  ...progressChecks,
  ...inputChecks,
  ...cancelChecks,
  ...loadChecks,
];
