import { RunnerCancelledError } from '../../runner.errors.js';
import type { RunInput } from '../../runner.port.js';
import { expect, NotApplicable, type Bench, type Check, type Stage } from '../check.js';
import { readResultArchive } from './archive-content.js';
import { cancelAt, describeCancellation } from './cancellation.js';
import { expectNothingAt, expectRejection, failureOf, expectResultOf } from './expectations.js';

const DEADLINE_MS = 400;

/** Jobs that are told to stop: at every stage, in time, with evidence, and without harm to the next one. */
export const cancelChecks: readonly Check[] = [
  {
    name: 'cancel-before',
    title: 'does not begin a job whose signal has fired',
    severity: 'required',
    async run(bench) {
      const input = bench.scene.job();
      const { stop } = await expectRejection(bench.run(input, { signal: AbortSignal.abort() }), RunnerCancelledError);
      expect(stop === null || stop.by === 'engine', 'It says that a server was at work on it.');
      await expectNothingAt(input.archivePath);
      return 'nothing was begun';
    },
  },
  cancelCheck('sending', 'stops while the videos are sent', ({ scene }) => scene.heavyJob()),
  cancelCheck('accepted', 'stops before the first frame is done', ({ scene }) => scene.longJob()),
  cancelCheck('midway', 'stops in the middle of the frames', ({ scene }) => scene.longJob()),
  {
    name: 'cancel-fetching',
    title: 'stops while the archive is fetched, or completes it',
    severity: 'required',
    async run(bench) {
      const input = bench.scene.job();
      try {
        return describeCancellation(await cancelAt('fetching', bench, input));
      } catch (error) {
        if (!(error instanceof NotApplicable)) throw error;
        const { names } = await readResultArchive(input.archivePath);
        return `the archive was there already, with ${names.length} entries`;
      }
    },
  },
  {
    name: 'cancel-confirmed',
    title: 'proves that the work has stopped',
    severity: 'optional',
    async run(bench) {
      const { stop } = await cancelAt('midway', bench, bench.scene.longJob());
      if (stop?.by === 'connection') throw new NotApplicable('The connection was closed; the server confirms nothing.');
      if (stop === null) throw new NotApplicable('When the job was stopped, nothing had been begun yet.');
      expect(
        stop.stoppedAt.getTime() <= Date.now() + CLOCKS_DIFFER_MS,
        `It says that the work stopped at ${stop.stoppedAt.toISOString()}, which is to come.`,
      );
      return `${stop.by === 'server' ? 'by the server' : 'its own process'}, at ${stop.stoppedAt.toISOString()}`;
    },
  },
  {
    name: 'deadline',
    title: 'stops at a deadline',
    severity: 'required',
    async run(bench) {
      const input = bench.scene.longJob();
      const outcome = await failureOf(bench.run(input, { signal: AbortSignal.timeout(DEADLINE_MS) }));
      if (outcome === null) throw new NotApplicable(`The job was over within ${DEADLINE_MS} ms.`);
      if (!(outcome instanceof RunnerCancelledError)) throw outcome;
      await expectNothingAt(input.archivePath);
      return `after ${DEADLINE_MS} ms`;
    },
  },
];

/** Machines that are not synchronised to the second cannot tell before from after. */
const CLOCKS_DIFFER_MS = 60_000;

function cancelCheck(stage: Stage, title: string, inputOf: (bench: Bench) => RunInput): Check {
  return {
    name: `cancel-${stage}`,
    title,
    severity: 'required',
    async run(bench) {
      const cancellation = await cancelAt(stage, bench, inputOf(bench));
      const next = bench.scene.job();
      expectResultOf(next, await bench.run(next));
      return describeCancellation(cancellation);
    },
  };
}
