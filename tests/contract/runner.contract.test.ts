import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { CHECKS } from '../../src/runners/conformance/checks/all.checks.js';
import { failureOf } from '../../src/runners/conformance/checks/expectations.js';
import { ConformanceSuite, type Outcome } from '../../src/runners/conformance/conformance.js';
import { RunnerCrashedError } from '../../src/runners/runner.errors.js';
import { loadGoldenCase } from '../support/golden-case.js';
import { buildRunInput, runContext } from '../support/runner-jobs.js';
import { documentedVerdicts } from './documented-verdicts.js';
import { RUNNER_SUBJECTS, type RunnerSubject, type StartedSubject } from './runner-subjects.js';

function outcomesOf({ skips, maySkip = [] }: RunnerSubject, check: string): Outcome[] {
  if (skips.includes(check)) return ['skipped'];
  return maySkip.includes(check) ? ['passed', 'skipped'] : ['passed'];
}

describe.each(RUNNER_SUBJECTS)('runner: $name', (kind) => {
  let subject: StartedSubject;
  let suite: ConformanceSuite;
  beforeAll(async () => {
    subject = await kind.start();
    // Promised is one second; a machine that runs tests on every core gets some slack.
    suite = await ConformanceSuite.open({ ...subject.options, stopWithinMs: 20_000 });
  });
  afterAll(async () => {
    await suite.close();
    await subject.stop();
  });

  it.each(CHECKS)('$title', async (check) => {
    const { outcome, detail } = await suite.check(check);
    expect(outcomesOf(kind, check.name), detail).toContain(outcome);
  });
});

describe('the page of conformance', () => {
  it.each(RUNNER_SUBJECTS.filter(({ name }) => name !== 'scripted'))('tells the truth about $name', async (subject) => {
    const documented = (await documentedVerdicts()).get(subject.name);
    for (const { name } of CHECKS) expect(outcomesOf(subject, name), name).toContain(documented?.get(name));
  });
});

/** The moment is seen by progress. */
const TELLING_SUBJECTS = RUNNER_SUBJECTS.filter(({ skips }) => !skips.includes('progress-on-the-way'));

describe.each(TELLING_SUBJECTS)('processes of the runner: $name', ({ start }) => {
  it('die under a job, which fails as crashed; the next one runs', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runner-crash-'));
    const golden = await loadGoldenCase('dev-a-translate-xy');
    const { options, crash, stop } = await start();
    const runner = options.open();
    try {
      const input = buildRunInput(golden, folder, {
        parameters: { endFrame: golden.currentFrameCount - 1, frameStep: 1 },
      });
      const { watch = () => begun } = options;
      let tellBegun: () => void = () => undefined;
      const begun = new Promise<void>((resolve) => (tellBegun = resolve));
      const job = runner.run(
        input,
        runContext(({ processed }) => {
          if (processed > 0) tellBegun();
        }),
      );
      const failure = failureOf(job);
      await watch('midway', input.jobId);
      await crash();
      expect(await failure).toBeInstanceOf(RunnerCrashedError);
      await expect(access(input.archivePath)).rejects.toMatchObject({ code: 'ENOENT' });
      const next = await runner.run(buildRunInput(golden, folder), runContext());
      expect(next.velocity).toHaveLength(3);
    } finally {
      await runner.close();
      await stop();
      await rm(folder, { recursive: true });
    }
  });
});
