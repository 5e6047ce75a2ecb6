import { setTimeout as delay } from 'node:timers/promises';

import { RunnerBusyError, RunnerUnavailableError } from '../../runner.errors.js';
import { magnitude } from '../../velocity-angle.js';
import { expect, NotApplicable, type Check } from '../check.js';
import { readResultArchive } from './archive-content.js';
import { expectClass, expectNothingAt, expectRejection, expectResultOf, failureOf } from './expectations.js';

/** A server with more slots is not brought to its limit by one machine that sends videos. */
const MOST_SLOTS = 16;
/** First frames of two jobs; far and near the goal, so that their numbers are far from each other too. */
const FAR_APART = [0, 40];
/** A server that tells no progress has begun by then. */
const BEGUN_MS = 250;

/** Several jobs at a time, more than there are slots, and the end of the runner under them. */
export const loadChecks: readonly Check[] = [
  {
    name: 'two-at-once',
    title: 'runs two jobs at a time without mixing them up',
    severity: 'required',
    async run(bench) {
      if (bench.runner.describe().slots < 2) throw new NotApplicable('It has one slot.');
      const inputs = FAR_APART.map((startFrame) =>
        bench.scene.job({ parameters: { startFrame, endFrame: startFrame + 10 } }),
      );
      const results = await Promise.all(inputs.map((input) => bench.run(input)));
      for (const [place, input] of inputs.entries()) {
        expectResultOf(input, results[place]);
        await readResultArchive(input.archivePath);
      }
      const [far, near] = results.map(({ velocity }) => magnitude(velocity[0]));
      expect(far !== near, 'Two jobs on different frames got the same numbers.');
      expect(bench.scene.modelName !== 'cns' || far > near, 'Each of two jobs got the numbers of the other.');
      return results.map(({ frames }) => `[${frames.map(({ frame }) => frame).join(', ')}]`).join(' and ');
    },
  },
  {
    name: 'more-than-slots',
    title: 'lets jobs beyond its slots wait, or refuses them as busy',
    severity: 'required',
    async run({ runner, scene, signal }) {
      const { slots } = runner.describe();
      if (slots > MOST_SLOTS) throw new NotApplicable(`It has ${slots} slots; up to ${MOST_SLOTS} are tried.`);
      const inputs = Array.from({ length: slots + 1 }, () => scene.job({ parameters: { endFrame: 20, frameStep: 2 } }));
      // Past the bench, which would wait for a free slot.
      const runs = inputs.map((input) => runner.run(input, { signal, onProgress: () => undefined }));
      const outcomes = await Promise.allSettled(runs);
      let refused = 0;
      const hints = new Set<number>();
      for (const [place, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') {
          expectResultOf(inputs[place], outcome.value);
          continue;
        }
        if (!(outcome.reason instanceof RunnerBusyError)) throw outcome.reason;
        refused++;
        if (outcome.reason.retryAfterSeconds !== undefined) hints.add(outcome.reason.retryAfterSeconds);
        await expectNothingAt(inputs[place].archivePath);
      }
      expect(refused < inputs.length, 'Every one of the jobs was refused as busy.');
      if (refused === 0) return `all ${inputs.length} jobs were done`;
      const hint = hints.size === 0 ? '' : `, asked to come back after ${[...hints].join(' or ')} s`;
      return `${inputs.length - refused} jobs were done, ${refused} refused as busy${hint}`;
    },
  },
  {
    name: 'close',
    title: 'ends a running job when it is closed, and takes no other',
    severity: 'required',
    async run(bench) {
      const runner = bench.open();
      const input = bench.scene.longJob();
      let failure: Promise<Error | null> = Promise.resolve(null);
      await new Promise<void>((begun) => {
        failure = failureOf(bench.run(input, { onProgress: () => begun() }, runner)).finally(begun);
        void delay(BEGUN_MS, undefined, { signal: bench.signal }).then(begun, begun);
      });
      await runner.close();
      await runner.close();
      expectClass(await failure, RunnerUnavailableError);
      await expectNothingAt(input.archivePath);
      const { state } = await runner.health(bench.signal);
      expect(state === 'CLOSED', `Its health is ${state} after it was closed.`);
      await expectRejection(
        runner.run(bench.scene.job(), { signal: bench.signal, onProgress: () => undefined }),
        RunnerUnavailableError,
      );
      const next = bench.scene.job();
      expectResultOf(next, await bench.run(next));
      return 'the server works on';
    },
  },
];
