import type { RunnerDescription, RunnerState } from '../../runners/runner.port.js';
import type { Breaker } from './breaker.domain.js';

/** The kind of the engine that every worker brings along; it has one row, and slots in each worker. */
export const EMBEDDED_KIND = 'embedded';

/** Name of the row of the embedded engine; no other runner may have it. */
export const EMBEDDED_NAME = 'embedded';

/** Most jobs that one runner may work on at a time. */
export const MOST_SLOTS = 256;

export const RUNNER_ORIGINS = ['configuration', 'admin'] as const;
/** Who put the runner in: settings, whose runners follow them at each start, or an administrator. */
export type RunnerOrigin = (typeof RUNNER_ORIGINS)[number];

export interface RunnerHealthRecord {
  state: RunnerState;
  /** In plain words; null when there is nothing to say. */
  detail: string | null;
  /** Null as long as nobody has looked. */
  checkedAt: Date | null;
  /** How long the runner took to answer, milliseconds; null when it did not. */
  latencyMs: number | null;
}

/** What runs jobs, as all processes of the installation know it. */
export interface RunnerRecord {
  id: string;
  name: string;
  kind: string;
  /** Null for the embedded engine. */
  url: string | null;
  sealedToken: string | null;
  /** Set by hand; null: as many as it says. */
  slots: number | null;
  /** Models it is used for; null: all that it serves. */
  models: readonly string[] | null;
  origin: RunnerOrigin;
  /** Null: it is enabled. */
  disabledBy: RunnerOrigin | null;
  /** It gets no new jobs; what runs on it comes to its end. */
  draining: boolean;
  /** Grows with each change of what its client is made from. */
  revision: number;
  /** As it last described itself. */
  description: RunnerDescription;
  health: RunnerHealthRecord;
  breaker: Breaker;
  /** It asked to be left alone until then. */
  notBefore: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

/** What a client of a runner is made from. */
export type RunnerIdentity = Pick<RunnerRecord, 'id' | 'name' | 'kind' | 'url' | 'sealedToken' | 'slots' | 'models'>;

/** A runner with the attempts that run on it now. */
export interface LoadedRunner extends RunnerRecord {
  inFlight: number;
}

/** What an attempt keeps of its runner. */
export type RunnerReference = Pick<RunnerRecord, 'id' | 'name' | 'kind'>;

export interface NewRunner {
  id: string;
  name: string;
  kind: string;
  url: string | null;
  sealedToken: string | null;
  slots: number | null;
  models: readonly string[] | null;
  origin: RunnerOrigin;
  description: RunnerDescription;
}

/** What can be changed of a runner; what is left out stays. */
export type RunnerChange = Partial<Pick<NewRunner, 'name' | 'kind' | 'url' | 'sealedToken' | 'slots' | 'models'>>;

export const RUNNER_EVENT_KINDS = ['added', 'changed', 'removed', 'switch', 'health', 'breaker', 'pause'] as const;
/**
 * `switch`: enabled, disabled, drained, resumed. `health`, `breaker`: a transition. `pause`: it asked to be left alone.
 */
export type RunnerEventKind = (typeof RUNNER_EVENT_KINDS)[number];

export interface NewRunnerEvent {
  kind: RunnerEventKind;
  from?: string | null;
  to?: string | null;
  detail?: string | null;
}

export interface RunnerEvent {
  id: string;
  kind: RunnerEventKind;
  from: string | null;
  to: string | null;
  detail: string | null;
  createdAt: Date;
}

/** Given to clients of runners whose slots nobody has set: their own word counts, and comes back as this when they have none. */
export const UNTOLD_SLOTS = Number.MAX_SAFE_INTEGER;

/** Jobs that a runner may work on at a time: one when it does not say. */
export function slotsOf({ slots, description }: Pick<RunnerRecord, 'slots' | 'description'>): number {
  const said = description.slots === UNTOLD_SLOTS ? 1 : description.slots;
  return Math.min(MOST_SLOTS, Math.max(1, slots ?? said));
}

export const isEmbedded = ({ kind }: Pick<RunnerRecord, 'kind'>): boolean => kind === EMBEDDED_KIND;

/** Whether it may get new jobs at all, well or not. */
export const isInService = ({ disabledBy, draining }: Pick<RunnerRecord, 'disabledBy' | 'draining'>): boolean =>
  disabledBy === null && !draining;

/** The description, with the models that it is used for. */
export function offerOf({ description, models }: Pick<RunnerRecord, 'description' | 'models'>): RunnerDescription {
  if (models === null) return description;
  return { ...description, serves: description.serves.filter((name) => models.includes(name)) };
}
