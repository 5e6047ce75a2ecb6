import { isDeepStrictEqual } from 'node:util';
import { compactVerify, createLocalJWKSet, errors, type JSONWebKeySet } from 'jose';
import { receiptSchema, RECEIPT_ALGORITHM, RECEIPT_TYPE, type Receipt } from '../contract/receipt.contract.js';
import { digestOfMembers } from '../platform/canonical-digest.js';

/** A file that the receipt may speak of. */
export interface FileDigest {
  /** Hexadecimal digits. */
  sha256: string;
  bytes: number;
}

/** What is to be compared with the receipt. */
export interface ReceiptEvidence {
  /** The member `results` of the result as JSON, or the whole answer. */
  result?: unknown;
  archive?: FileDigest | undefined;
  goal?: FileDigest | undefined;
  current?: FileDigest | undefined;
}

export interface ReceiptCheck {
  name: 'signature' | 'content' | 'shown' | 'figures' | 'result' | 'archive' | 'goal video' | 'current video';
  passed: boolean;
  /** What was found, or what is wrong. */
  detail: string;
}

export interface ReceiptVerdict {
  valid: boolean;
  checks: ReceiptCheck[];
  /** Null when nothing could be trusted. */
  receipt: Receipt | null;
}

/**
 * Tells whether a receipt is genuine: signed with a key of the set, unchanged, adding up, and speaking of the given
 * files. Asks nobody and no clock, so the answer is the same for good.
 *
 * @param document the answer of the API (`receipt` and `jws`), or the JWS alone
 * @param keys key set of the installation, as saved from `/.well-known/jwks.json`
 */
export async function verifyReceipt(
  document: unknown,
  keys: JSONWebKeySet,
  evidence: ReceiptEvidence = {},
): Promise<ReceiptVerdict> {
  const jws = jwsOf(document);
  if (jws === null) return verdict([failed('signature', 'There is no JWS in it.')], null);
  const signature = await readSigned(jws, keys);
  if ('problem' in signature) return verdict([failed('signature', signature.problem)], null);
  const checks = [passed('signature', `${RECEIPT_ALGORITHM}, key ${signature.keyId}`)];
  const signed = parseJson(signature.payload);
  const receipt = receiptSchema.safeParse(signed).data ?? null;
  if (receipt === null) {
    return verdict([...checks, failed('content', 'It is signed, but no receipt that this version knows.')], null);
  }
  checks.push(passed('content', `receipt ${receipt.receipt_id} of job ${receipt.job_id}`));
  if (isAnswer(document)) checks.push(checkShown(document.receipt, signed));
  checks.push(checkFigures(receipt), ...checkEvidence(receipt, evidence));
  return verdict(checks, receipt);
}

const verdict = (checks: ReceiptCheck[], receipt: Receipt | null): ReceiptVerdict => ({
  valid: checks.every((check) => check.passed),
  checks,
  receipt,
});
const passed = (name: ReceiptCheck['name'], detail: string): ReceiptCheck => ({ name, passed: true, detail });
const failed = (name: ReceiptCheck['name'], detail: string): ReceiptCheck => ({ name, passed: false, detail });

function jwsOf(document: unknown): string | null {
  const text = isAnswer(document) ? document.jws : document;
  return typeof text === 'string' && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text.trim()) ? text.trim() : null;
}

const isAnswer = (document: unknown): document is { jws: unknown; receipt: unknown } =>
  typeof document === 'object' && document !== null && 'jws' in document && 'receipt' in document;

async function readSigned(
  jws: string,
  keys: JSONWebKeySet,
): Promise<{ payload: string; keyId: string } | { problem: string }> {
  try {
    const { payload, protectedHeader } = await compactVerify(jws, createLocalJWKSet(keys), {
      algorithms: [RECEIPT_ALGORITHM],
    });
    if (protectedHeader.typ !== RECEIPT_TYPE) return { problem: `It is signed as "${protectedHeader.typ ?? ''}".` };
    const { kid } = protectedHeader;
    if (kid === undefined) return { problem: 'It does not name its key.' };
    return { payload: new TextDecoder('utf-8', { fatal: true }).decode(payload), keyId: kid };
  } catch (error) {
    return { problem: problemOf(error) };
  }
}

function problemOf(error: unknown): string {
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'It was changed, or signed with another key.';
  if (error instanceof errors.JWKSNoMatchingKey) return 'The key set has no such key.';
  if (error instanceof errors.JOSEAlgNotAllowed) return `It is not signed with ${RECEIPT_ALGORITHM}.`;
  if (error instanceof errors.JOSEError || error instanceof TypeError) return `It cannot be read: ${error.message}`;
  // Web Crypto's way to refuse a key.
  if (error instanceof DOMException) return `Its key in the key set is none: ${error.message}.`;
  throw error;
}

/** @returns null for what is none */
function parseJson(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function checkShown(shown: unknown, signed: unknown): ReceiptCheck {
  return isDeepStrictEqual(shown, signed)
    ? passed('shown', 'the receipt beside the signature is the one that was signed')
    : failed('shown', 'The receipt beside the signature is not the one that was signed.');
}

/** Relative; sums are of doubles. */
const TOLERANCE = 1e-9;

function checkFigures({ attempts, ...receipt }: Receipt): ReceiptCheck {
  // A receipt from before attempts kept what they had consumed tells the whole only.
  const known = attempts.filter(({ energy }) => energy !== null);
  if (known.length === 0) return passed('figures', 'nothing is told of the attempts one by one');
  const sums = [
    ['energy', sum(known.map(({ energy }) => energy?.energy_wh ?? 0)), receipt.energy.energy_wh],
    ['carbon', sum(known.map(({ carbon_footprint: grams }) => grams ?? 0)), receipt.carbon_footprint],
    ['seconds', sum(known.map(({ seconds }) => seconds ?? 0)), receipt.seconds],
  ] as const;
  const wrong = sums.find(([, ofAttempts, whole]) => Math.abs(ofAttempts - whole) > TOLERANCE * Math.abs(whole));
  return wrong === undefined
    ? passed('figures', `the whole is the sum of its attempts (${attempts.length})`)
    : failed('figures', `The attempts do not add up to the whole (${wrong[0]}).`);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function checkEvidence({ result, inputs }: Receipt, evidence: ReceiptEvidence): ReceiptCheck[] {
  const files = [
    ['archive', evidence.archive, result.archive],
    ['goal video', evidence.goal, inputs.goal_video],
    ['current video', evidence.current, inputs.current_video],
  ] as const;
  return [
    ...(evidence.result === undefined ? [] : [checkResult(evidence.result, result)]),
    ...files.flatMap(([name, found, told]) => (found === undefined ? [] : [checkFile(name, found, told)])),
  ];
}

function checkFile(name: ReceiptCheck['name'], found: FileDigest, told: FileDigest): ReceiptCheck {
  return found.sha256 === told.sha256 && found.bytes === told.bytes
    ? passed(name, `sha256 ${told.sha256}, ${told.bytes} bytes`)
    : failed(name, `Another file: sha256 ${found.sha256}, ${found.bytes} bytes instead of ${told.bytes}.`);
}

function checkResult(given: unknown, { sha256, members }: Receipt['result']): ReceiptCheck {
  if (sha256 === null)
    return failed('result', 'The receipt says nothing of it: it was gone when the receipt was made.');
  const result = typeof given === 'object' && given !== null && 'results' in given ? given.results : given;
  if (typeof result !== 'object' || result === null) return failed('result', 'This is not the JSON of a result.');
  const found = digestOfMembers(result, members);
  return found === sha256 ? passed('result', `sha256 ${sha256}`) : failed('result', `Another result: sha256 ${found}.`);
}
