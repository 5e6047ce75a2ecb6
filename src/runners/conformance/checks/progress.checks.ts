import { RunnerCancelledError } from '../../runner.errors.js';
import type { RunProgress } from '../../runner.port.js';
import { expect, Nonconformity, NotApplicable, type Check } from '../check.js';
import { expectResultOf, framesOf } from './expectations.js';

/** What is told while a job runs. */
export const progressChecks: readonly Check[] = [
  {
    name: 'progress',
    title: 'tells progress that only grows and ends complete',
    severity: 'required',
    async run(bench) {
      const input = bench.scene.job({ parameters: { endFrame: 20, frameStep: 2 } });
      const total = framesOf(input).length;
      const seen: RunProgress[] = [];
      await bench.run(input, { onProgress: (progress) => void seen.push(progress) });
      const processed = seen.map((progress) => progress.processed);
      const drop = processed.findIndex((count, place) => place > 0 && count < processed[place - 1]);
      expect(drop === -1, `Progress fell from ${processed[drop - 1]} to ${processed[drop]} frames.`);
      const wrong = seen.find((progress) => progress.total !== total);
      expect(wrong === undefined, `It told of ${wrong?.total ?? 0} frames in all instead of ${total}.`);
      expect(processed.at(-1) === total, `The last progress was ${processed.at(-1) ?? 'none'} of ${total} frames.`);
      return `${seen.length} times`;
    },
  },
  {
    name: 'progress-on-the-way',
    title: 'tells progress before the job has ended',
    severity: 'optional',
    async run(bench) {
      // Those that tell it are polled now and then: the job must not be over in no time.
      const input = bench.scene.longJob();
      const total = framesOf(input).length;
      const enough = new AbortController();
      let processed = total;
      const job = bench.run(input, {
        signal: enough.signal,
        onProgress: (progress) => {
          if (progress.processed === 0 || progress.processed >= total || enough.signal.aborted) return;
          processed = progress.processed;
          enough.abort();
        },
      });
      await job.catch((error: unknown) => {
        if (!(error instanceof RunnerCancelledError)) throw error;
      });
      if (processed === total)
        throw new NotApplicable('Between begin and end of a job of many frames it tells nothing.');
      return `after ${processed} of ${total} frames`;
    },
  },
  {
    name: 'partial-rows',
    title: 'hands over rows in order, each as in the result',
    severity: 'required',
    async run(bench) {
      const input = bench.scene.job({ parameters: { endFrame: 20, frameStep: 2 } });
      const rows: number[][] = [];
      const result = await bench.run(input, { onRows: (more) => void rows.push(...more.map((row) => [...row])) });
      expectResultOf(input, result);
      const ahead = rows.findIndex((row, place) => row.join() !== result.velocity[place]?.join());
      if (ahead !== -1) {
        throw new Nonconformity(
          `Row ${ahead} was handed over as [${rows[ahead].join(', ')}] and is another in the result.`,
        );
      }
      if (rows.length === 0) throw new NotApplicable('It hands over no row before the result.');
      return `${rows.length} of ${result.velocity.length} rows`;
    },
  },
];
