import type { StoredInferenceResult } from '../../contract/inference.contract.js';
import type { Receipt } from '../../contract/receipt.contract.js';
import { digestOfMembers } from '../../platform/canonical-digest.js';
import { energyReportOf } from '../carbon/carbon-report.domain.js';
import { sumFootprints, type Footprint } from '../carbon/footprint.domain.js';
import type { Archive } from '../result/result.domain.js';

export interface StoredReceipt {
  /** JSON. */
  payload: string;
  /** Null until somebody asks for it. */
  jws: string | null;
}

export interface InputFacts {
  id: string;
  sha256: string;
  bytes: number;
}

export interface AttemptFacts {
  number: number;
  runner: { kind: string; name: string } | null;
  startedAt: Date;
  finishedAt: Date;
  outcome: string;
  resumedRows: number;
  /** Null when nobody knows. */
  footprint: Footprint | null;
}

/** What the rows around a completed job tell; nothing of it changes any more. */
export interface JobFacts {
  jobId: string;
  userId: string;
  retryOf: string | null;
  createdAt: Date;
  startedAt: Date;
  finishedAt: Date;
  model: { name: string; version: string };
  parameters: Readonly<Record<string, unknown>>;
  goalVideo: InputFacts;
  currentVideo: InputFacts;
  attempts: AttemptFacts[];
  frames: number;
  energyWh: number;
  carbonGrams: number;
  credits: number;
}

/** @param payload null when it is gone already, which happens to jobs from before there were receipts */
export function receiptOf(
  facts: JobFacts,
  { payload, archive }: { payload: StoredInferenceResult | null; archive: Archive },
  receiptId: string,
): Receipt {
  const whole = sumFootprints(facts.attempts.map(({ footprint }) => footprint).filter((known) => known !== null));
  const { consumption, energy, reportedGrams } = whole;
  return {
    version: 1,
    receipt_id: receiptId,
    job_id: facts.jobId,
    user_id: facts.userId,
    retry_of: facts.retryOf,
    created_at: facts.createdAt.toISOString(),
    started_at: facts.startedAt.toISOString(),
    finished_at: facts.finishedAt.toISOString(),
    model: { ...facts.model, digest: payload?.model?.digest ?? null },
    inputs: { goal_video: facts.goalVideo, current_video: facts.currentVideo },
    parameters: facts.parameters,
    runner: payload === null ? null : runnerOf(payload.runner),
    device: payload?.device ?? null,
    attempts: facts.attempts.map(presentAttempt),
    frames: facts.frames,
    seconds: consumption.wallSeconds,
    cpu_seconds: consumption.cpuSeconds,
    gpu_seconds: consumption.gpuSeconds,
    // The row knows more than its attempts only where those are from before they kept what they had consumed.
    energy: { ...energyReportOf(energy), energy_wh: facts.energyWh },
    intensity: payload === null ? null : intensityOf(payload),
    carbon_footprint: facts.carbonGrams,
    reported_grams: reportedGrams,
    credits: facts.credits,
    result: { ...digestOf(payload), archive: { sha256: archive.sha256, bytes: archive.bytes } },
  };
}

function presentAttempt({ startedAt, finishedAt, resumedRows, footprint, ...attempt }: AttemptFacts) {
  return {
    ...attempt,
    started_at: startedAt.toISOString(),
    finished_at: finishedAt.toISOString(),
    resumed_rows: resumedRows,
    seconds: footprint?.consumption.wallSeconds ?? null,
    energy: footprint === null ? null : energyReportOf(footprint.energy),
    carbon_footprint: footprint?.carbonGrams ?? null,
  };
}

function digestOf(payload: StoredInferenceResult | null) {
  if (payload === null) return { sha256: null, members: [] };
  const members = Object.entries(payload).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  return { sha256: digestOfMembers(payload, members), members: members.sort() };
}

/** Kind, name and version out of `kind/name@version`. */
function runnerOf(text: string): Receipt['runner'] {
  const [, kind, name, version] = /^([^/]*)\/(.*)@([^@]*)$/s.exec(text) ?? [];
  return kind === undefined ? null : { kind, name, version };
}

function intensityOf({ carbon, carbon_intensity: gramsPerKwh }: StoredInferenceResult): Receipt['intensity'] {
  return carbon?.intensity ?? { grams_per_kwh: gramsPerKwh, region: null, source: 'not kept', year: null };
}
