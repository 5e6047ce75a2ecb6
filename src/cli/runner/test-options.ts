import { InvalidArgumentError } from 'commander';

import { CHECKS } from '../../runners/conformance/checks/all.checks.js';
import type { Check } from '../../runners/conformance/check.js';
import { RUNNER_KINDS, type RunnerKind } from '../../runners/runner.registry.js';

/** Kinds that live behind an address. */
export type RemoteKind = Exclude<RunnerKind, 'embedded'>;

export const REMOTE_KINDS = RUNNER_KINDS.filter((kind): kind is RemoteKind => kind !== 'embedded');

/** What each scheme may mean, the likelier first. */
const KINDS_OF_SCHEME: Readonly<Record<string, readonly RemoteKind[] | undefined>> = {
  'http:': ['fastapi', 'kserve'],
  'https:': ['fastapi', 'kserve'],
  'grpc:': ['kserve'],
  'grpcs:': ['kserve'],
};

/** @throws InvalidArgumentError for anything that no model server can be reached by */
export function parseServerUrl(text: string): URL {
  if (!URL.canParse(text)) throw new InvalidArgumentError('An address is wanted, like http://127.0.0.1:8000.');
  const url = new URL(text);
  if (KINDS_OF_SCHEME[url.protocol] === undefined) {
    throw new InvalidArgumentError(`It begins with one of ${Object.keys(KINDS_OF_SCHEME).join('// ')}//.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidArgumentError('Secrets do not belong into an address: use --token or RUNNER_TOKEN.');
  }
  return url;
}

/** @throws InvalidArgumentError when the kind is not spoken at such an address */
export function kindFor(url: URL, wanted: RemoteKind | undefined): RemoteKind {
  const [likely, ...others] = KINDS_OF_SCHEME[url.protocol] ?? [];
  if (wanted === undefined) return likely;
  if (wanted === likely || others.includes(wanted)) return wanted;
  throw new InvalidArgumentError(`Servers of the kind ${wanted} are not reached by ${url.protocol}//.`);
}

/** @throws InvalidArgumentError for anything but a count */
export function parseSlots(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('A number from 1 to 9999 is wanted.');
  return Number(text);
}

/** @param text names of checks with commas between them. @throws InvalidArgumentError for a name that none has */
export function parseChecks(text: string): readonly Check[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => CHECKS.every((check) => check.name !== name));
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      `No check is called "${unknown}". There are: ${CHECKS.map(({ name }) => name).join(', ')}.`,
    );
  }
  return CHECKS.filter(({ name }) => names.includes(name));
}
