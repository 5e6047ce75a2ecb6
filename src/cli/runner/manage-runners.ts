import { ApiError, UnexpectedAnswerError } from '../../sdk/api-error.js';
import { createClient, type Client } from '../../sdk/client.js';

export interface Connection {
  /** Of the API. */
  baseUrl: string;
  token: string;
}

/** As they stand on the command line. */
export interface AddFlags {
  kind: 'fastapi' | 'kserve';
  token?: string | undefined;
  slots?: number | undefined;
  models?: string | undefined;
}

type Runner = Awaited<ReturnType<Client['listRunners']>>['runners'][number];

/** No such runner; the command is told so in words. */
class UnknownRunnerError extends Error {
  override readonly name = 'UnknownRunnerError';
}

/** @returns what is to be printed, as with all that follow */
export async function listRunners(connection: Connection, json: boolean): Promise<string> {
  const runners = await allRunners(createClient(connection));
  return json ? `${JSON.stringify(runners, null, 2)}\n` : toTable(runners);
}

export async function addRunner(
  connection: Connection,
  { models, token, slots, ...fields }: AddFlags & { name: string; url: string },
): Promise<string> {
  const client = createClient(connection);
  const { runner } = await client.createRunner({
    ...fields,
    ...(token === undefined || token === '' ? {} : { token }),
    ...(slots === undefined ? {} : { slots }),
    ...(models === undefined ? {} : { models: models.split(',').map((name) => name.trim()) }),
  });
  return toTable([(await client.testRunner(runner.id)).runner]);
}

/** @param name name or id */
export async function actOnRunner(
  connection: Connection,
  verb: 'check' | 'drain' | 'resume' | 'remove',
  name: string,
): Promise<string> {
  const client = createClient(connection);
  const found = (await allRunners(client)).find((runner) => runner.name === name || runner.id === name);
  if (found === undefined) throw new UnknownRunnerError(`There is no runner "${name}".`);
  if (verb === 'remove') return `${(await client.deleteRunner(found.id)).message}\n`;
  if (verb === 'check') return toTable([(await client.testRunner(found.id)).runner]);
  const { runner } = await (verb === 'drain' ? client.drainRunner(found.id) : client.resumeRunner(found.id));
  return toTable([runner]);
}

/** What keeps a command from being done, in one line. */
export function explain(error: unknown, baseUrl: string): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof UnexpectedAnswerError)
    return `${baseUrl} answers, but not as this version expects: ${error.message}`;
  if (error instanceof UnknownRunnerError) return error.message;
  return `${baseUrl} cannot be reached: ${error instanceof Error ? error.message : String(error)}`;
}

async function allRunners(client: Client): Promise<Runner[]> {
  const runners: Runner[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Client['listRunners']>> = await client.listRunners(
      cursor === null ? {} : { cursor },
    );
    runners.push(...page.runners);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return runners;
}

const COLUMNS: readonly [title: string, text: (runner: Runner) => string][] = [
  ['NAME', ({ name }) => name],
  ['KIND', ({ kind }) => kind],
  ['STATE', stateOf],
  ['JOBS', ({ in_flight, slots }) => `${in_flight}/${slots}`],
  ['DEVICE', ({ device }) => device],
  ['MODELS', ({ models }) => models.join(', ')],
  ['ADDRESS', ({ url }) => url ?? 'inside the workers'],
  ['', ({ health }) => health.detail ?? ''],
];

/** What matters most to somebody who wonders why it gets no jobs. */
function stateOf({ enabled, draining, breaker, health }: Runner): string {
  if (!enabled) return 'disabled';
  if (draining) return 'draining';
  return breaker.state === 'CLOSED' ? health.state : `${health.state}, breaker ${breaker.state}`;
}

function toTable(runners: readonly Runner[]): string {
  const rows = [COLUMNS.map(([title]) => title), ...runners.map((runner) => COLUMNS.map(([, text]) => text(runner)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => printable(row[column]).length)));
  return rows
    .map((row) => row.map((cell, column) => printable(cell).padEnd(widths[column])).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** What a server says may not move the cursor of a terminal. */
const printable = (text: string): string => text.replace(/\p{C}+/gu, ' ');
