import { createLogger } from '../../platform/logging/winston-logger.js';
import type { Check } from '../../runners/conformance/check.js';
import { CHECKS } from '../../runners/conformance/checks/all.checks.js';
import { KSERVE_SCHEMES } from '../../runners/kserve/kserve.runner.js';
import { CNS_MODEL } from '../../runners/runner.port.js';
import { createRunner, type RunnerKind } from '../../runners/runner.registry.js';
import type { RunnerTest } from './test-runner.js';

/** As they stand on the command line. */
export interface TestFlags {
  kind?: string;
  token?: string;
  slots?: string;
  model?: string;
  only?: string;
  json?: boolean;
}

/** The command is written wrongly. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Kinds that live behind an address. */
type RemoteKind = Exclude<RunnerKind, 'embedded'>;

/** Schemes of the addresses of each kind. Where two kinds share one, the first is meant unless another is asked for. */
const SCHEMES: Readonly<Record<RemoteKind, readonly string[]>> = {
  fastapi: ['http:', 'https:'],
  kserve: KSERVE_SCHEMES,
};
const REMOTE_KINDS = Object.keys(SCHEMES) as RemoteKind[];
/** As many as the platform gives to any server; what the server says itself counts. */
const MOST_SLOTS = 256;

/** @throws UsageError naming what is wrong */
export function parseTest(address: string, flags: TestFlags): RunnerTest {
  const url = parseServerUrl(address);
  const kind = kindAt(url, flags.kind);
  const slots = flags.slots === undefined ? MOST_SLOTS : parseSlots(flags.slots);
  const model = flags.model ?? CNS_MODEL.name;
  const token = flags.token === undefined || flags.token === '' ? {} : { token: flags.token };
  const logger = createLogger({ level: 'error', format: 'pretty', fields: {} });
  const options = { name: url.host, url, slots, logger, models: [model], ...token };
  return {
    subject: `${url.href} (${kind})`,
    open: () => createRunner(kind, options),
    model,
    checks: flags.only === undefined ? CHECKS : parseChecks(flags.only),
    json: flags.json ?? false,
  };
}

/** @throws UsageError for anything that no model server can be reached by */
function parseServerUrl(text: string): URL {
  if (!URL.canParse(text)) throw new UsageError(`"${text}" is no address; one looks like http://127.0.0.1:8000.`);
  const url = new URL(text);
  const schemes = [...new Set(Object.values(SCHEMES).flat())];
  if (!schemes.includes(url.protocol)) {
    const list = schemes.map((scheme) => `${scheme}//`).join(', ');
    throw new UsageError(`No model server is reached by ${url.protocol} addresses; they begin with ${list}.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('Secrets do not belong into an address: use RUNNER_TOKEN or --token.');
  }
  return url;
}

/** @throws UsageError when the kind is none, or not spoken at such an address */
export function kindAt(url: URL, wanted: string | undefined): RemoteKind {
  const kinds = REMOTE_KINDS.filter((kind) => SCHEMES[kind].includes(url.protocol));
  const kind = kinds.find((one) => wanted === undefined || one === wanted);
  if (kind !== undefined) return kind;
  throw new UsageError(
    `The kind "${wanted ?? ''}" is not found at ${url.protocol}// addresses; ${kinds.join(' or ')} is.`,
  );
}

function parseSlots(text: string): number {
  const slots = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (slots < 1 || slots > MOST_SLOTS) throw new UsageError(`--slots takes a number from 1 to ${MOST_SLOTS}.`);
  return slots;
}

function parseChecks(text: string): readonly Check[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => CHECKS.every((check) => check.name !== name));
  if (unknown === undefined) return CHECKS.filter(({ name }) => names.includes(name));
  const known = CHECKS.map(({ name }) => name).join(', ');
  throw new UsageError(`No check is called "${unknown}". There are: ${known}.`);
}
