import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { RunnerBusyError } from '../runner.errors.js';
import {
  CNS_MODEL,
  type RunContext,
  type RunInput,
  type RunModel,
  type Runner,
  type RunResult,
} from '../runner.port.js';
import { NotApplicable, type Bench, type Check, type Severity, type StageWatch } from './check.js';
import { HEALTH_CHECK } from './checks/identity.checks.js';
import { describeError } from './checks/expectations.js';
import { ConformanceScene } from './scene.js';

/** What the port promises; the suite may be given more where a machine has much else to do. */
const STOP_WITHIN_MS = 1_000;
const CHECK_MS = 120_000;
/** What a check may still need after its signal, to end what it began; never more than it had before. */
const GRACE_MS = 5_000;
const BUSY_PAUSE_MS = 200;
/** A server may guess how long a job takes that is just being stopped. */
const LONGEST_BUSY_PAUSE_MS = 5_000;

export interface ConformanceOptions {
  /** Makes a runner for the server under test; the suite closes every one. */
  open(): Runner;
  /** Default: `cns`. */
  model?: RunModel;
  /** Longest time from a signal to the end of a run; default 1,000 ms. */
  stopWithinMs?: number;
  /** Longest time for one check; default two minutes. */
  checkMs?: number;
  watch?: StageWatch;
}

export type Outcome = 'passed' | 'failed' | 'skipped';

/** What became of one check. */
export interface Verdict {
  name: string;
  title: string;
  severity: Severity;
  outcome: Outcome;
  /** What was seen, what is wrong, or why it could not be tested. */
  detail: string;
  seconds: number;
}

/** Whether a runner may be used: nothing that is required has failed. */
export function conforms(verdicts: readonly Verdict[]): boolean {
  return verdicts.every(({ severity, outcome }) => severity === 'optional' || outcome !== 'failed');
}

/** A runner on the bench. Checks run one after the other: some of them need all of its slots. */
export class ConformanceSuite {
  private readonly opened: Runner[] = [];

  private constructor(
    private readonly options: ConformanceOptions,
    /** Scratch folder of all jobs. */
    readonly folder: string,
    readonly runner: Runner,
    private readonly scene: ConformanceScene,
  ) {
    this.opened.push(runner);
  }

  /** Makes a runner and a scratch folder, which `close` takes away again. */
  static async open(options: ConformanceOptions): Promise<ConformanceSuite> {
    const folder = await mkdtemp(join(tmpdir(), 'infernode-conformance-'));
    let runner: Runner | undefined;
    try {
      const subject = (runner = options.open());
      const scene = await ConformanceScene.prepare(folder, options.model ?? CNS_MODEL, () => subject.describe());
      return new ConformanceSuite(options, folder, subject, scene);
    } catch (error) {
      await runner?.close();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Never rejects because of the runner: whatever it does is a verdict.
   * @param signal ends the check, which then has failed
   */
  async check(check: Check, signal?: AbortSignal): Promise<Verdict> {
    const { name, title, severity } = check;
    const { checkMs = CHECK_MS } = this.options;
    const started = performance.now();
    const deadline = startDeadline(checkMs, signal);
    const verdict = (outcome: Outcome, detail: string): Verdict => {
      return { name, title, severity, outcome, detail, seconds: (performance.now() - started) / 1000 };
    };
    try {
      const detail = await Promise.race([check.run(this.bench(deadline.signal)), deadline.overdue]);
      const leftovers = await this.leftovers();
      if (leftovers.length > 0) return verdict('failed', `It leaves behind ${leftovers.join(', ')}.`);
      return verdict('passed', detail);
    } catch (error) {
      if (deadline.signal.aborted) return verdict('failed', describeReason(deadline.signal.reason));
      if (error instanceof NotApplicable) return verdict('skipped', error.message);
      return verdict('failed', describeFailure(error));
    } finally {
      deadline.dispose();
    }
  }

  /**
   * The checks one after the other. A runner that is not ready is not tried any further: every other check would fail for
   * that one reason.
   *
   * @param signal ends the check at work, and begins no other
   */
  async *run(checks: readonly Check[], signal: AbortSignal): AsyncGenerator<Verdict> {
    let isReady = true;
    for (const check of checks) {
      if (signal.aborted) return;
      if (!isReady) {
        const { name, title, severity } = check;
        yield { name, title, severity, outcome: 'skipped', detail: 'The runner is not ready.', seconds: 0 };
        continue;
      }
      const verdict = await this.check(check, signal);
      isReady = check.name !== HEALTH_CHECK || verdict.outcome !== 'failed';
      yield verdict;
    }
  }

  /** Closes every runner and removes the scratch folder; safe to call twice. */
  async close(): Promise<void> {
    await Promise.all(this.opened.map((runner) => runner.close()));
    await rm(this.folder, { recursive: true, force: true });
  }

  private bench(signal: AbortSignal): Bench {
    const { stopWithinMs = STOP_WITHIN_MS, watch } = this.options;
    return {
      runner: this.runner,
      scene: this.scene,
      stopWithinMs,
      watch,
      signal,
      open: () => {
        const runner = this.options.open();
        this.opened.push(runner);
        return runner;
      },
      run: (input, context = {}, on = this.runner) => runWhenFree(on, input, context, signal),
    };
  }

  /** Whatever is in the scratch folder besides whole archives and the videos of the scene; it is removed. */
  private async leftovers(): Promise<string[]> {
    const names = (await readdir(this.folder)).filter((name) => name !== 'videos');
    for (const name of names) await rm(join(this.folder, name), { recursive: true });
    return names.filter((name) => !name.endsWith('.zip'));
  }
}

async function runWhenFree(
  runner: Runner,
  input: RunInput,
  { signal: own, ...context }: Partial<RunContext>,
  limit: AbortSignal,
): Promise<RunResult> {
  const signal = own === undefined ? limit : AbortSignal.any([own, limit]);
  for (;;) {
    try {
      return await runner.run(input, { onProgress: () => undefined, ...context, signal });
    } catch (error) {
      if (!(error instanceof RunnerBusyError) || signal.aborted) throw error;
      const asked = error.retryAfterSeconds === undefined ? BUSY_PAUSE_MS : error.retryAfterSeconds * 1000;
      const pause = Math.min(asked, LONGEST_BUSY_PAUSE_MS);
      await delay(pause, undefined, { signal }).catch(() => {
        throw error;
      });
    }
  }
}

interface CheckDeadline {
  /** Fires at the deadline, or with the signal of the caller. */
  readonly signal: AbortSignal;
  /** Rejects when the check goes on although it was told to end: a runner may be deaf. */
  readonly overdue: Promise<never>;
  dispose(): void;
}

function startDeadline(milliseconds: number, outer: AbortSignal | undefined): CheckDeadline {
  const limit = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  const end = (reason: unknown): void => limit.abort(reason);
  const interrupt = (): void => end(outer?.reason);
  const overdue = new Promise<never>((_resolve, reject) => {
    limit.signal.addEventListener('abort', () => {
      timers.push(setTimeout(() => reject(new Error('It does not end.')), Math.min(GRACE_MS, milliseconds)));
    });
  });
  timers.push(setTimeout(() => end(new Error(`It took longer than ${milliseconds / 1000} s.`)), milliseconds));
  outer?.addEventListener('abort', interrupt);
  if (outer?.aborted === true) interrupt();
  return {
    signal: limit.signal,
    overdue,
    dispose() {
      for (const timer of timers) clearTimeout(timer);
      outer?.removeEventListener('abort', interrupt);
    },
  };
}

function describeReason(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

function describeFailure(error: unknown): string {
  return error instanceof Error && error.name === 'Nonconformity' ? error.message : describeError(error);
}
