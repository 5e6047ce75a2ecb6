import { AppError, invalidField } from '../../platform/app-error.js';
import { parseDetector } from '../../runners/detector.js';
import { mismatchOf, type Mismatch, type RunnerCandidate, type RunRequirements } from '../../runners/requirements.js';
import type { Policy } from '../../runners/runner.port.js';

/** Policy of a job that names none: the learned one where a runner of its model has weights for it. */
export function policyFor(model: string, runners: readonly RunnerCandidate[]): Policy {
  const isLearned = runners.some(({ description }) => {
    const { serves, policies } = description;
    return serves.includes(model) && policies.includes('cns');
  });
  return isLearned ? 'cns' : 'ibvs';
}

/**
 * Refuses a job that no runner in service can take, busy or not.
 * @throws AppError model-unavailable, policy-unavailable, or validation-failed for the detector: the first need that none
 *   of those meets which meet the needs before it
 */
export function requireRunner(runners: readonly RunnerCandidate[], needs: RunRequirements): void {
  let able = runners;
  for (const mismatch of ORDER) {
    const meeting = able.filter((runner) => !fails(runner, needs, mismatch));
    if (meeting.length === 0) throw refusalOf(mismatch, needs, able);
    able = meeting;
  }
}

/** As `mismatchOf` looks at them. */
const ORDER: readonly Mismatch[] = ['kind', 'runner', 'model', 'policy', 'detector', 'gpu'];

/** Whether this is the first need that the runner does not meet. */
const fails = (runner: RunnerCandidate, needs: RunRequirements, mismatch: Mismatch): boolean =>
  mismatchOf(needs, runner) === mismatch;

function refusalOf(mismatch: Mismatch, { model, policy, detector }: RunRequirements, able: readonly RunnerCandidate[]) {
  if (mismatch === 'policy') {
    const detail = policy === 'cns' ? NO_CNS_WEIGHTS : `No runner of this installation offers the policy "${policy}".`;
    return new AppError('policy-unavailable', detail, { errors: [{ path: 'parameters.policy', message: detail }] });
  }
  if (mismatch === 'detector') return invalidField('parameters.detector', missingDetector(detector, able));
  const detail =
    mismatch === 'gpu'
      ? `The model "${model}" needs a GPU, and no runner of this installation that offers the rest has one.`
      : `No runner of this installation runs the model "${model}" now.`;
  return new AppError('model-unavailable', detail, { errors: [{ path: 'model', message: detail }] });
}

function missingDetector(detector: string, able: readonly RunnerCandidate[]): string {
  const parts = parseDetector(detector);
  if (parts === null) return `"${detector}" is no detector.`;
  const known = [...new Set(able.flatMap(({ description }) => description.detectors))];
  const missing = parts.find(({ name }) => !known.includes(name));
  return missing === undefined
    ? `No runner of this installation offers all of ${parts.map(({ name }) => name).join(', ')} at once.`
    : `No runner of this installation offers ${missing.name}. There are: ${known.join(', ')}.`;
}

const NO_CNS_WEIGHTS =
  'This installation has no weights for the policy "cns". Its authors publish them as checkpoints/cns_state_dict.pth at ' +
  'https://github.com/hhcaz/CNS; scripts/convert-cns-weights.py turns that file into cns.safetensors, and the setting ' +
  'CNS_WEIGHTS names it (docs/how-to/cns-weights.md). Without them leave the policy out, or use "ibvs".';
