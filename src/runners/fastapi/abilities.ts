import type { HttpClient } from '../http-kit/http-client.js';
import { SMALL_ANSWER_BYTES, type RemoteLimits } from '../http-kit/remote-limits.js';
import { DETECTOR_NAMES, type DetectorName } from '../detector.js';
import { CNS_MODEL, POLICIES, type ModelIdentity, type Policy } from '../runner.port.js';
import type { FastApiRunnerOptions } from './fastapi.options.js';
import { refusalOf } from './refusal.js';
import { capabilitiesSchema, FEATURES, type Capabilities, type Feature } from './wire.js';

/** What a server can do, by its own word or, where it says nothing, by ours. */
export interface Abilities {
  /** Null for a server of the first version, which does not say. */
  version: string | null;
  detectors: readonly DetectorName[];
  policies: readonly Policy[];
  models: Readonly<Partial<Record<Policy, ModelIdentity>>>;
  serves: readonly string[];
  /** The name of its GPU, as `device` is to be; null when it has none. */
  gpu: string | null;
  /** Null when it does not say. */
  slots: number | null;
  maxUploadBytes: number | null;
  features: ReadonlySet<Feature>;
}

/** What the contract has known from the beginning. */
const FIRST_DETECTORS: readonly DetectorName[] = ['SIFT', 'ORB', 'AKAZE'];
const FIRST_GPU = 'cuda:0';
/** Servers that know nothing of the question. */
const NO_SUCH_ROUTE = [404, 405, 501];
const FRESH_MS = 60_000;

interface Deps {
  client: HttpClient;
  options: FastApiRunnerOptions;
  limits: RemoteLimits;
  peer: string;
}

/** Asks a server what it can do, and remembers the answer for a minute. */
export class AbilitiesReader {
  /** What is known by now; before the first answer, what a server of the first version can do. */
  current: Abilities;
  private readUntil = 0;

  constructor(private readonly deps: Deps) {
    this.current = firstAbilities(deps.options);
  }

  /** @throws RunnerError */
  async known(signal: AbortSignal): Promise<Abilities> {
    return Date.now() < this.readUntil ? this.current : this.read(signal);
  }

  /** @throws RunnerError */
  async read(signal: AbortSignal): Promise<Abilities> {
    const { client, limits, options, peer } = this.deps;
    const call = {
      method: 'GET',
      path: 'capabilities',
      signal,
      answerMs: limits.callMs,
      readMs: limits.callMs,
    } as const;
    this.current = await client.send(call, async (answer) => {
      if (NO_SUCH_ROUTE.includes(answer.status)) return firstAbilities(options);
      if (answer.status !== 200) throw await refusalOf(answer, peer);
      return abilitiesOf(await answer.json(capabilitiesSchema, 'its capabilities', SMALL_ANSWER_BYTES));
    });
    this.readUntil = Date.now() + FRESH_MS;
    return this.current;
  }

  /** The server may be another by now. */
  forget(): void {
    this.readUntil = 0;
  }
}

function firstAbilities({ detectors, policies, models }: FastApiRunnerOptions): Abilities {
  return {
    version: null,
    detectors: detectors ?? FIRST_DETECTORS,
    policies: policies ?? POLICIES,
    models: {},
    serves: models ?? [CNS_MODEL.name],
    gpu: FIRST_GPU,
    slots: null,
    maxUploadBytes: null,
    features: new Set(),
  };
}

function abilitiesOf(said: Capabilities): Abilities {
  const policies = POLICIES.filter((policy) => said.policies.includes(policy));
  const weights = said.models.find(({ name, digest }) => name === CNS_MODEL.name && typeof digest === 'string');
  const hasWeights = policies.includes('cns') && typeof weights?.digest === 'string';
  return {
    version: said.version,
    detectors: DETECTOR_NAMES.filter((name) => said.detectors.includes(name)),
    policies,
    models: hasWeights ? { cns: { name: weights.name, digest: String(weights.digest) } } : {},
    serves: said.models.map(({ name }) => name),
    gpu: said.devices.find((device) => device.startsWith('cuda')) ?? null,
    slots: said.slots,
    maxUploadBytes: said.max_upload_bytes ?? null,
    features: new Set(FEATURES.filter((feature) => said.features.includes(feature))),
  };
}
