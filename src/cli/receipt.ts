import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { readReceiptKey } from '../platform/auth/receipt-key.js';
import { SigningKeyError } from '../platform/auth/signing-keys.js';
import { ConfigError, loadConfig } from '../platform/config/load-config.js';
import { verifyReceipt, type FileDigest, type ReceiptVerdict } from '../sdk/verify-receipt.js';

export interface ReceiptOptions {
  keys?: string;
  result?: string;
  archive?: string;
  goal?: string;
  current?: string;
  json?: boolean;
}

/** sysexits.h: EX_USAGE. Nothing was checked. */
const EXIT_USAGE = 64;
const KEYS_TIMEOUT_MS = 10_000;

/** One line that says what could not be read. */
class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

const keySetSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) });

/** @returns the exit code: 0 for a genuine receipt, 1 for one that is not, 64 when it could not be checked */
export async function verifyReceiptFile(file: string, options: ReceiptOptions): Promise<number> {
  let verdict: ReceiptVerdict;
  try {
    verdict = await verifyReceipt(await readDocument(file), await readKeys(options.keys), {
      ...(options.result === undefined ? {} : { result: parseJson(options.result, await readText(options.result)) }),
      archive: await digestOf(options.archive),
      goal: await digestOf(options.goal),
      current: await digestOf(options.current),
    });
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    process.stderr.write(`infernode: ${error.message}\n`);
    return EXIT_USAGE;
  }
  process.stdout.write(options.json === true ? `${JSON.stringify(toJson(verdict))}\n` : toTable(verdict));
  return verdict.valid ? 0 : 1;
}

/** JSON as the API gave it, or the JWS alone. What is neither is no receipt. */
async function readDocument(file: string): Promise<unknown> {
  const content = file === '-' ? await text(process.stdin) : await readText(file);
  try {
    return JSON.parse(content);
  } catch {
    return content;
  }
}

async function readKeys(place: string | undefined): Promise<z.infer<typeof keySetSchema>> {
  if (place === undefined) return ownKeys();
  const content = /^https?:/.test(place) ? await fetchText(place) : await readText(place);
  const parsed = keySetSchema.safeParse(parseJson(place, content));
  if (!parsed.success) throw new UnreadableError(`${place} is not a JSON Web Key Set.`);
  return parsed.data;
}

/** Of the installation in this folder. */
async function ownKeys(): Promise<z.infer<typeof keySetSchema>> {
  try {
    const { receiptKeyPath } = loadConfig({ env: process.env, cwd: process.cwd(), readDotenv: true });
    const key = await readReceiptKey(receiptKeyPath);
    if (key !== null) return { keys: [{ ...key.published }] };
    throw new UnreadableError(`There is no ${receiptKeyPath}: give the key set of the installation with --keys.`);
  } catch (error) {
    if (error instanceof ConfigError || error instanceof SigningKeyError) throw new UnreadableError(error.message);
    throw error;
  }
}

async function fetchText(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(KEYS_TIMEOUT_MS) });
    if (!response.ok) throw new UnreadableError(`${url} answered ${response.status}.`);
    return await response.text();
  } catch (error) {
    if (error instanceof UnreadableError) throw error;
    throw new UnreadableError(`${url} cannot be reached: ${(error as Error).message}`, { cause: error });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function parseJson(file: string, content: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new UnreadableError(`${file} is not JSON.`, { cause: error });
  }
}

async function digestOf(file: string | undefined): Promise<FileDigest | undefined> {
  if (file === undefined) return undefined;
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  return { sha256: hash.digest('hex'), bytes };
}

const unreadable = (file: string, error: unknown): UnreadableError =>
  new UnreadableError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });

const toJson = ({ valid, checks, receipt }: ReceiptVerdict) => ({
  valid,
  receipt_id: receipt?.receipt_id ?? null,
  job_id: receipt?.job_id ?? null,
  checks,
});

function toTable({ valid, checks, receipt }: ReceiptVerdict): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.map(
    ({ name, passed, detail }) => `  ${passed ? 'ok    ' : 'FAILED'}  ${name.padEnd(width)}  ${detail}`,
  );
  return `${[
    valid ? 'The receipt is genuine.' : 'The receipt is NOT genuine.',
    ...lines,
    ...(valid && receipt !== null ? ['', ...summary(receipt)] : []),
  ].join('\n')}\n`;
}

function summary(receipt: NonNullable<ReceiptVerdict['receipt']>): string[] {
  const { model, runner, attempts, energy, intensity } = receipt;
  const grid = intensity === null ? '' : `, ${intensity.grams_per_kwh} g/kWh (${intensity.region ?? intensity.source})`;
  return [
    `  model     ${model.name} ${model.version}${model.digest === null ? '' : ` ${model.digest}`}`,
    ...(runner === null ? [] : [`  runner    ${runner.kind}, ${runner.name} ${runner.version}`]),
    `  finished  ${receipt.finished_at}, attempts: ${attempts.length}, frames: ${receipt.frames}`,
    `  energy    ${energy.energy_wh.toPrecision(4)} Wh, ${energy.method} (${energy.source})`,
    `  carbon    ${receipt.carbon_footprint.toPrecision(4)} g CO2e${grid}`,
    `  credits   ${receipt.credits}`,
  ];
}
