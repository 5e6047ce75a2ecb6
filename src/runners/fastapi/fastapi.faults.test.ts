import { access, copyFile, mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { loadGoldenCase, type GoldenCaseFiles } from '../../../tests/support/golden-case.js';
import { startFastApiServer, type FastApiServer } from '../../../tests/support/model-servers/fastapi-server.js';
import { SERVER_FAULTS, type ServerFault } from '../../../tests/support/model-servers/server-faults.js';
import { buildRunInput, runContext } from '../../../tests/support/runner-jobs.js';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import type { RemoteLimits } from '../http-kit/remote-limits.js';
import { RunnerError } from '../runner.errors.js';
import { createFastApiRunner } from './fastapi.runner.js';

interface Outcome {
  code: string;
  /** Of a breach of the contract. */
  reason?: string;
  fault: 'user' | 'platform' | 'nobody';
  retryable: boolean;
  retryAfterSeconds?: number;
  message: RegExp;
}

const busy = (message: RegExp, retryAfterSeconds?: number): Outcome => ({
  code: 'runner-busy',
  fault: 'nobody',
  retryable: true,
  message,
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
});
const breach = (reason: string, message: RegExp): Outcome => ({
  code: 'runner-protocol',
  reason,
  fault: 'platform',
  retryable: true,
  message,
});
const platform = (code: string, message: RegExp): Outcome => ({ code, fault: 'platform', retryable: true, message });
const input = (message: RegExp): Outcome => ({ code: 'runner-input', fault: 'user', retryable: false, message });

/** What becomes of a job, by what is wrong with its server; null: it completes all the same. */
const OUTCOMES: Record<ServerFault, Outcome | null> = {
  'no-slot': busy(/has no free slot/, 7),
  'no-slot-silent': busy(/has no free slot/),
  'too-many-requests': busy(/has no free slot/, 30),
  'not-ready': busy(/is not ready/, 11),
  'refuses-token': platform('runner-refused', /refuses the job \(HTTP 401\)/),
  'no-such-route': platform('runner-refused', /refuses the job \(HTTP 404\)/),
  'too-large-input': platform('runner-refused', /refuses the job \(HTTP 413\)/),
  'reads-nothing': platform('runner-timeout', /took nothing more of the input for 0.5 s/),
  'dies-mid-upload': platform('runner-crashed', /closed the connection without an answer/),
  'unusable-input': input(/The goal frame has no keypoints/),
  'bad-input-in-words': input(/The goal frame has no keypoints/),
  'wrong-form': platform('runner-refused', /expects another form/),
  'internal-error': breach('unexpected-status', /answers HTTP 500/),
  'cancelled-by-itself': platform('runner-unavailable', /stopped the job of its own accord/),
  'dies-before-headers': platform('runner-crashed', /closed the connection without an answer/),
  'never-answers': platform('runner-timeout', /did not begin to answer within 0.5 s/),
  'stands-still': platform('runner-timeout', /has not got any further for 0.5 s/),
  'not-http': breach('wrong-shape', /does not speak HTTP/),
  'no-content': breach('unexpected-status', /answers HTTP 204/),
  'redirect-elsewhere': breach('redirected', /another server than itself/),
  'redirect-loop': breach('redirected', /more than 3 times/),
  'redirect-once': null,
  'not-json': breach('not-json', /no JSON/),
  html: breach('wrong-content-type', /as text\/html/),
  'wrong-shape': breach('wrong-shape', /velocity/),
  'half-answer': breach('wrong-shape', /velocity/),
  nan: breach('non-finite', /NaN/),
  'null-velocity': breach('non-finite', /no finite number as velocity of row 0/),
  'five-numbers': breach('wrong-shape', /5 instead of 6 numbers/),
  'too-few-rows': breach('wrong-row-count', /2 rows for 3 frames/),
  'wrong-frames': breach('wrong-shape', /reports on frame 1 where frame 0/),
  'huge-json': breach('too-large', /more than 1054720 bytes as its result/),
  'endless-answer': breach('too-large', /more than 1054720 bytes as its result/),
  trickle: platform('runner-timeout', /had not finished its answer after 0.5 s/),
  'falls-silent': platform('runner-timeout', /stopped in the middle of its answer for 0.5 s/),
  'dies-mid-json': breach('cut-off', /in the middle of its answer/),
  'download-elsewhere': breach('redirected', /another server than itself/),
  'download-missing': breach('unexpected-status', /HTTP 404 instead of the archive/),
  'html-archive': breach('wrong-content-type', /the archive as text\/html/),
  'not-a-zip': breach('not-a-zip', /no ZIP/),
  'truncated-zip': breach('not-a-zip', /no ZIP/),
  'huge-zip': breach('too-large', /the archive/),
  'endless-zip': breach('too-large', /the archive/),
  'trickling-zip': platform('runner-timeout', /had not finished its answer after 0.5 s/),
  'dies-mid-zip': breach('cut-off', /in the middle of its answer/),
  'slow-cancel': null,
  'lost-cancel': null,
  'completes-on-cancel': null,
  'wrong-progress': null,
  'wrong-rows': null,
};

/** Deadlines that a test can wait for; every other fault has the usual ones. */
const LIMITS: Partial<Record<ServerFault, Partial<RemoteLimits>>> = {
  'reads-nothing': { idleMs: 500 },
  'never-answers': { answerMs: 500 },
  'stands-still': { stallMs: 500 },
  trickle: { readMs: 500 },
  'falls-silent': { idleMs: 500 },
  'trickling-zip': { archiveMs: 500 },
  'endless-zip': { archiveBytes: 1_000_000 },
};

/** Those that show while input is still coming: it has to be more than what waits in buffers. */
const WHILE_SENDING: readonly ServerFault[] = ['no-slot', 'too-large-input', 'reads-nothing', 'dies-mid-upload'];
const LARGE_BYTES = 64 * 1024 ** 2;

describe('a job on a model server that', () => {
  let folder: string;
  let golden: GoldenCaseFiles;
  /** A sparse file. */
  let largeVideo: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastapi-faults-'));
    golden = await loadGoldenCase('dev-a-translate-xy');
    largeVideo = join(folder, 'large.mp4');
    await copyFile(golden.currentVideoPath, largeVideo);
    await truncate(largeVideo, LARGE_BYTES);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const onServer = async (fault: ServerFault, test: (server: FastApiServer) => Promise<void>): Promise<void> => {
    const server = await startFastApiServer({ fault });
    try {
      await test(server);
    } finally {
      await server.close();
    }
  };

  it.each(SERVER_FAULTS)('has the fault "%s" ends as it should', async (fault) => {
    await onServer(fault, async (server) => {
      const limits = LIMITS[fault] ?? {};
      const runner = createFastApiRunner({ name: 'north', url: server.url, slots: 2, logger: silentLogger, limits });
      const isLarge = WHILE_SENDING.includes(fault);
      const job = buildRunInput(golden, folder, isLarge ? { currentVideoPath: largeVideo } : {});
      const outcome = await runner.run(job, runContext()).catch((error: unknown) => error);
      const expected = OUTCOMES[fault];
      if (expected === null) {
        expect(outcome).toMatchObject({ velocity: expect.any(Array) as unknown });
      } else {
        const { message, ...facts } = expected;
        expect(outcome).toBeInstanceOf(RunnerError);
        expect(outcome).toMatchObject(facts);
        expect((outcome as RunnerError).message).toMatch(message);
        // What a user reads names neither addresses nor what broke inside the server.
        expect((outcome as RunnerError).message).not.toMatch(/127\.0\.0|Traceback/);
        if (!('retryAfterSeconds' in expected)) expect((outcome as RunnerError).retryAfterSeconds).toBeUndefined();
        await expect(access(job.archivePath)).rejects.toMatchObject({ code: 'ENOENT' });
      }
      // It goes on with the next job as if nothing had been.
      server.setFault(undefined);
      const next = await runner.run(buildRunInput(golden, folder), runContext());
      expect(next.velocity).toHaveLength(3);
      await runner.close();
    });
  });

  it('refuses a large input and closes at once is heard every time, although we were still sending', async () => {
    await onServer('too-large-input', async (server) => {
      const runner = createFastApiRunner({ name: 'north', url: server.url, slots: 8, logger: silentLogger });
      for (let round = 0; round < 5; round++) {
        const jobs = Array.from({ length: 8 }, () =>
          runner.run(buildRunInput(golden, folder, { currentVideoPath: largeVideo }), runContext()),
        );
        for (const outcome of await Promise.allSettled(jobs)) {
          expect(outcome).toMatchObject({ reason: { code: 'runner-refused' } });
        }
      }
      await runner.close();
    });
  });

  it('is not there, or is at a name that is none, is told apart from one that broke', async () => {
    const server = await startFastApiServer();
    await server.close();
    for (const url of [server.url, new URL('http://no-such-host.invalid:8000/')]) {
      const runner = createFastApiRunner({ name: 'north', url, slots: 1, logger: silentLogger });
      const outcome = runner.run(buildRunInput(golden, folder), runContext());
      await expect(outcome).rejects.toMatchObject({
        code: 'runner-unavailable',
        message: expect.stringMatching(/^The model server "north" cannot be reached: /) as string,
      });
      expect(await runner.health()).toMatchObject({ state: 'UNHEALTHY' });
      await runner.close();
    }
  });
});
