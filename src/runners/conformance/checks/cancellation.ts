import { setTimeout as delay } from 'node:timers/promises';

import { RunnerCancelledError, type StopEvidence } from '../../runner.errors.js';
import type { RunInput } from '../../runner.port.js';
import { expect, Nonconformity, NotApplicable, type Bench, type Stage } from '../check.js';
import { describeError, expectNothingAt, failureOf, framesOf } from './expectations.js';

/** Before that no server on a network has 32 MB. */
const SENDING_MS = 10;
/** A server that tells nothing is taken to have begun by then, and to be in the middle of the work. */
const SILENT_MS: Readonly<Record<'accepted' | 'midway', number>> = { accepted: 250, midway: 1_000 };

/** How a job ended that was cancelled. */
export interface Cancellation {
  /** From the signal to the rejection, milliseconds. */
  endedMs: number;
  stop: StopEvidence | null;
}

/**
 * Begins a job, cancels it at the stage and waits for its end.
 *
 * @throws Nonconformity when it ends late, in another way, or leaves something behind; NotApplicable when the job was
 *   over before it could be cancelled
 */
export async function cancelAt(stage: Stage, bench: Bench, input: RunInput): Promise<Cancellation> {
  const controller = new AbortController();
  const over = new AbortController();
  let abortedAt = NaN;
  const abort = (): void => {
    if (controller.signal.aborted || over.signal.aborted) return;
    abortedAt = performance.now();
    controller.abort();
  };
  const isReached = stageByProgress(stage, framesOf(input).length);
  const job = bench.run(input, {
    signal: controller.signal,
    onProgress: ({ processed }) => {
      if (bench.watch === undefined && isReached(processed)) abort();
    },
  });
  const reached = waitForStage(stage, bench, input.jobId, over.signal).then(abort);
  const error = await failureOf(job);
  const endedMs = performance.now() - abortedAt;
  over.abort();
  await reached;
  if (error === null) throw new NotApplicable('The job was over before it could be cancelled.');
  if (!controller.signal.aborted) throw error;
  if (!(error instanceof RunnerCancelledError)) {
    throw new Nonconformity(`The job ended with ${describeError(error)} instead of RunnerCancelledError.`);
  }
  expect(
    endedMs <= bench.stopWithinMs,
    `It took ${endedMs.toFixed(0)} ms from the signal to the end; promised are ${bench.stopWithinMs} ms.`,
  );
  await expectNothingAt(input.archivePath);
  return { endedMs, stop: error.stop };
}

const WITNESSES: Readonly<Record<StopEvidence['by'], string>> = {
  engine: 'the engine has stopped',
  server: 'the server says that it has stopped',
  connection: 'the connection was closed, the server said nothing',
};

export function describeCancellation({ endedMs, stop }: Cancellation): string {
  return `${endedMs.toFixed(0)} ms; ${stop === null ? 'nothing had been begun' : WITNESSES[stop.by]}`;
}

/** Whether a number of finished frames shows that the job is at the stage. */
function stageByProgress(stage: Stage, total: number): (processed: number) => boolean {
  switch (stage) {
    case 'sending':
      return () => false;
    case 'accepted':
      return () => true;
    case 'midway':
      return (processed) => processed > 0 && processed < total;
    case 'fetching':
      return (processed) => processed >= total;
  }
}

/** Resolves when the job is at the stage, as far as somebody or the clock can tell, or is over. */
async function waitForStage(stage: Stage, { watch }: Bench, jobId: string, over: AbortSignal): Promise<void> {
  if (watch !== undefined) return Promise.race([watch(stage, jobId), fired(over)]);
  if (stage === 'fetching') return fired(over);
  const milliseconds = stage === 'sending' ? SENDING_MS : SILENT_MS[stage];
  await delay(milliseconds, undefined, { signal: over }).catch((error: unknown) => {
    if (!over.aborted) throw error;
  });
}

function fired(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
