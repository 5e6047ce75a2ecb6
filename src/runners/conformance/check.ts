import type { RunContext, RunInput, Runner, RunResult } from '../runner.port.js';
import type { ConformanceScene } from './scene.js';

/** `required`: a runner without it loses or spoils jobs. `optional`: users see less, but every job ends well. */
export type Severity = 'required' | 'optional';

/** One promise of the runner port, and how it is put to the test. */
export interface Check {
  /** Unique, for options and tables: `cancel-midway`. */
  readonly name: string;
  /** The promise in a few words, as a heading of a table. */
  readonly title: string;
  readonly severity: Severity;
  /**
   * @returns what was seen, for people
   * @throws Nonconformity when the promise is broken, NotApplicable when it cannot be tested here; any other error counts
   *   as a broken promise
   */
  run(bench: Bench): Promise<string>;
}

/** Moments of a job at which it is cancelled. */
export type Stage = 'sending' | 'accepted' | 'midway' | 'fetching';

/** Where somebody can look into the server: resolves when the job is at that stage, so that nothing has to be guessed. */
export type StageWatch = (stage: Stage, jobId: string) => Promise<void>;

/** What a check works with. */
export interface Bench {
  readonly runner: Runner;
  readonly scene: ConformanceScene;
  /** Longest time from a signal to the end of a run, milliseconds. */
  readonly stopWithinMs: number;
  readonly watch?: StageWatch | undefined;
  /** Fires when the check has taken too long, or nobody waits for it any more. */
  readonly signal: AbortSignal;
  /** Another runner for the same server; it is closed with the suite. */
  open(): Runner;
  /** Runs a job, and tries again while the runner has no free slot. @param on default: `runner` */
  run(input: RunInput, context?: Partial<RunContext>, on?: Runner): Promise<RunResult>;
}

/** A promise that was broken, in words that its maker understands. */
export class Nonconformity extends Error {
  override readonly name = 'Nonconformity';
}

/** What cannot be tested on this runner, and why. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable';
}

/** @throws Nonconformity with the message unless the condition holds */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Nonconformity(message);
}
