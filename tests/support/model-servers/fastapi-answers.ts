import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import { archiveOf, type ServerJob } from './fastapi-jobs.js';
import type { ServerFault } from './server-faults.js';

/** Beyond the default limit of what is taken as an answer. */
const HUGE_BYTES = 80 * 1024 ** 2;
const TRICKLE_MS = 20;
/** Nobody: the port of a protocol that hosts do not run. */
const ELSEWHERE = 'http://127.0.0.2:9/results/elsewhere.zip';

interface AnswerContext {
  response: ServerResponse;
  contract: 'full' | 'legacy';
}

type SeedAnswer = ReturnType<typeof seedAnswer>;
type BrokenAnswer = (response: ServerResponse, answer: SeedAnswer, job: ServerJob) => void | Promise<void>;

const redirect =
  (location: string): BrokenAnswer =>
  (response) => {
    response.writeHead(307, { Location: location }).end();
  };

const BROKEN_ANSWERS: Partial<Record<ServerFault, BrokenAnswer>> = {
  'unusable-input': (response) => {
    sendProblem(response, 422, { code: 'unusable-input', detail: 'The goal frame has no keypoints.' });
  },
  'bad-input-in-words': (response) => sendJson(response, { detail: 'The goal frame has no keypoints.' }, 400),
  'wrong-form': (response) =>
    sendJson(response, { detail: [{ loc: ['body', 'gain'], msg: 'Field required', type: 'missing' }] }, 422),
  'internal-error': (response) => {
    sendProblem(response, 500, { code: 'internal', detail: 'Traceback (most recent call last): secret' });
  },
  'cancelled-by-itself': (response) => {
    sendProblem(response, 499, { code: 'cancelled', detail: 'Somebody else stopped it.' });
  },
  'dies-before-headers': (response) => void response.socket?.resetAndDestroy(),
  'not-http': (response) => void response.socket?.end('SSH-2.0-OpenSSH_9.6\r\n'),
  'no-content': (response) => void response.writeHead(204).end(),
  'redirect-elsewhere': redirect(ELSEWHERE),
  'redirect-loop': redirect('/analyze'),
  'not-json': (response) => sendText(response, 'application/json', 'velocity: none'),
  html: (response) => sendText(response, 'text/html', '<html><body>Sign in</body></html>'),
  'wrong-shape': (response, answer) => sendJson(response, { ...answer, velocity: { rows: answer.velocity } }),
  'half-answer': (response, { requestId, message }) => sendJson(response, { requestId, message }),
  nan: (response, answer) => {
    sendText(response, 'application/json', JSON.stringify(answer).replace(/\[\[[^,]*/, '[[NaN'));
  },
  'null-velocity': (response, answer) => sendJson(response, { ...answer, velocity: answer.velocity.map(toNulls) }),
  'five-numbers': (response, answer) => {
    sendJson(response, { ...answer, velocity: answer.velocity.map((row) => row.slice(1)) });
  },
  'too-few-rows': (response, answer) => sendJson(response, { ...answer, velocity: answer.velocity.slice(1) }),
  'wrong-frames': (response, answer, job) => {
    sendJson(response, { ...answer, frames: job.frames.map((frame) => frameReport(frame + 1)) });
  },
  'huge-json': sendHuge,
  'endless-answer': (response) => sendEndlessly(response, 'application/json'),
  trickle: (response, answer) => trickle(response, 'application/json', Buffer.from(JSON.stringify(answer))),
  'falls-silent': (response, answer) => sendHalf(response, Buffer.from(JSON.stringify(answer)), false),
  'dies-mid-json': (response, answer) => sendHalf(response, Buffer.from(JSON.stringify(answer)), true),
  'download-elsewhere': (response, answer) => sendJson(response, { ...answer, download_url: ELSEWHERE }),
  'download-missing': (response, answer) => sendJson(response, { ...answer, download_url: '/results/unknown.zip' }),
};

/** Answers `POST /analyze` when the work is done, or was stopped. */
export async function answerAnalysis(
  job: ServerJob,
  fault: ServerFault | undefined,
  { response, contract }: AnswerContext,
): Promise<void> {
  if (job.signal.aborted) {
    sendProblem(response, 499, { code: 'cancelled', stopped_at: job.stoppedAt });
    return;
  }
  const answer = contract === 'full' ? fullAnswer(job) : seedAnswer(job);
  const broken = fault === undefined ? undefined : BROKEN_ANSWERS[fault];
  if (broken === undefined) sendJson(response, answer);
  else await broken(response, answer, job);
}

type BrokenArchive = (response: ServerResponse, archive: Buffer) => void | Promise<void>;

const BROKEN_ARCHIVES: Partial<Record<ServerFault, BrokenArchive>> = {
  'html-archive': (response) => sendText(response, 'text/html', '<html></html>'),
  'not-a-zip': (response) => sendZip(response, Buffer.from('This is the archive you asked for.')),
  'truncated-zip': (response, archive) => sendZip(response, archive.subarray(0, archive.length - 30)),
  'huge-zip': (response) => {
    response.writeHead(200, { 'Content-Type': 'application/zip', 'Content-Length': String(1024 ** 4) }).write('PK');
  },
  'endless-zip': (response) => sendEndlessly(response, 'application/zip'),
  'trickling-zip': (response, archive) => trickle(response, 'application/zip', archive),
  'dies-mid-zip': async (response, archive) => {
    response.writeHead(200, { 'Content-Type': 'application/zip', 'Content-Length': String(archive.length) });
    await write(response, archive.subarray(0, archive.length / 2));
    response.socket?.resetAndDestroy();
  },
};

/** Answers the download. */
export async function sendArchive(
  job: ServerJob,
  fault: ServerFault | undefined,
  response: ServerResponse,
): Promise<void> {
  const archive = await archiveOf(job);
  const broken = fault === undefined ? undefined : BROKEN_ARCHIVES[fault];
  if (broken === undefined) sendZip(response, archive);
  else await broken(response, archive);
}

/** What servers of the contract have said from the beginning. */
function seedAnswer(job: ServerJob) {
  return {
    requestId: job.fields['jobId'],
    velocity: job.rows,
    carbon_footprint: 0.125,
    download_url: `/results/${encodeURIComponent(job.fields['jobId'])}.zip`,
    message: `${job.rows.length} frames by script.`,
  };
}

function fullAnswer(job: ServerJob) {
  const digest = `sha256:${'ab'.repeat(32)}`;
  return {
    ...seedAnswer(job),
    device: job.fields['device'],
    goal: { frame: Number(job.fields['goal_frame_idx']), keypoints: 100 },
    frames: job.frames.map(frameReport),
    usage: { wall_seconds: 1.5, cpu_seconds: 1.25, gpu_seconds: 0.5 },
    energy: { method: 'measured', cpu_wh: 0.01, gpu_wh: 0.02, memory_wh: null, source: 'RAPL package-0, NVML' },
    model: job.fields['policy'] === 'cns' ? { name: 'cns', digest } : null,
    warnings: [],
  };
}

function frameReport(frame: number) {
  return { frame, keypoints: 100, matches: 80, inliers: 60, feature_error_px: 1, problem: null };
}

const toNulls = (row: readonly number[]): null[] => row.map(() => null);

function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

function sendText(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { 'Content-Type': type }).end(text);
}

function sendProblem(response: ServerResponse, status: number, problem: object): void {
  response.writeHead(status, { 'Content-Type': 'application/problem+json' });
  response.end(JSON.stringify({ type: 'about:blank', title: 'As scripted', status, ...problem }));
}

function sendZip(response: ServerResponse, bytes: Buffer): void {
  response.writeHead(200, { 'Content-Type': 'application/zip', 'Content-Length': String(bytes.length) });
  response.end(bytes);
}

async function sendHuge(response: ServerResponse, answer: object): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  const text = JSON.stringify(answer);
  response.write(`${text.slice(0, -1)},"notes":"`);
  const piece = Buffer.alloc(1024 ** 2, 'x');
  for (let bytes = 0; bytes < HUGE_BYTES && !response.destroyed; bytes += piece.length) await write(response, piece);
  response.end('"}');
}

async function sendEndlessly(response: ServerResponse, type: string): Promise<void> {
  response.writeHead(200, { 'Content-Type': type });
  const piece = Buffer.alloc(64 * 1024, ' ');
  while (!response.destroyed) await write(response, piece);
}

async function trickle(response: ServerResponse, type: string, bytes: Buffer): Promise<void> {
  response.writeHead(200, { 'Content-Type': type });
  for (const byte of bytes) {
    if (response.destroyed) return;
    await write(response, Buffer.of(byte));
    await delay(TRICKLE_MS);
  }
  response.end();
}

async function sendHalf(response: ServerResponse, bytes: Buffer, isDying: boolean): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': String(bytes.length) });
  await write(response, bytes.subarray(0, bytes.length / 2));
  if (isDying) response.socket?.resetAndDestroy();
  else await once(response, 'close');
}

/** In step with the reader; once it has gone, the callback comes with an error, and the next look at `destroyed` ends it. */
function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => void response.write(bytes, () => resolve()));
}
