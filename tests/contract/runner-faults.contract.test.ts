import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { failureOf } from '../../src/runners/conformance/checks/expectations.js';
import type { RemoteLimits } from '../../src/runners/http-kit/remote-limits.js';
import { RunnerBusyError, RunnerProtocolError } from '../../src/runners/runner.errors.js';
import type { Runner } from '../../src/runners/runner.port.js';
import { createRunner } from '../../src/runners/runner.registry.js';
import { loadGoldenCase, type GoldenCaseFiles } from '../support/golden-case.js';
import { startFastApiServer } from '../support/model-servers/fastapi-server.js';
import type { KserveFault } from '../support/model-servers/kserve-faults.js';
import { KserveServer, type KserveTransport } from '../support/model-servers/kserve-server.js';
import { buildRunInput, runContext } from '../support/runner-jobs.js';
import { silentLogger } from '../support/silent-logger.js';
import { exampleOf, FAULTS, NOBODY_LISTENS, type FaultRow } from './runner-faults.js';

/** Short, for what is waited for in vain; long, for what a crowded machine is slow at. */
const LIMITS: Partial<RemoteLimits> = {
  connectMs: 20_000,
  idleMs: 700,
  answerMs: 1_500,
  readMs: 1_500,
  archiveMs: 1_500,
  stallMs: 1_500,
  answerBytes: 1024 ** 2,
  archiveBytes: 4 * 1024 ** 2,
};

interface Kind {
  name: string;
  column: 'fastapi' | 'rest' | 'grpc';
  /** A server with the fault, or without one, and a runner for it. */
  start(fault: FaultRow | null): Promise<{ runner: Runner; heal(): void; stop(): Promise<void> }>;
}

const KINDS: readonly Kind[] = [
  {
    name: 'fastapi',
    column: 'fastapi',
    async start(row) {
      const server = await startFastApiServer({
        msPerFrame: 5,
        ...(row?.fastapi === undefined ? {} : { fault: row.fastapi }),
      });
      const options = { name: 'lab', url: server.url, slots: 2, logger: silentLogger, limits: LIMITS };
      return {
        runner: createRunner('fastapi', options),
        heal: () => server.setFault(undefined),
        stop: () => server.close(),
      };
    },
  },
  { name: 'kserve', column: 'rest', start: (row) => startKserve('rest', row?.rest) },
  { name: 'kserve over gRPC', column: 'grpc', start: (row) => startKserve('grpc', row?.grpc) },
];

async function startKserve(transport: KserveTransport, fault: KserveFault | undefined): ReturnType<Kind['start']> {
  const server = await KserveServer.start({ transport, msPerFrame: 5, ...(fault === undefined ? {} : { fault }) });
  const options = { name: 'lab', url: server.url, slots: 2, logger: silentLogger, limits: LIMITS };
  return {
    runner: createRunner('kserve', options),
    heal: () => (server.fault = undefined),
    stop: () => server.close(),
  };
}

describe.each(KINDS)('a server of the kind $name', ({ column, start }) => {
  let folder: string;
  let golden: GoldenCaseFiles;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runner-faults-'));
    golden = await loadGoldenCase('dev-a-translate-xy');
  });
  afterAll(() => rm(folder, { recursive: true }));

  const rows = FAULTS.filter((row) => row[column] !== undefined);

  it.each(rows)('that $server is called by its name, and works on once it is well', async (row) => {
    const { runner, heal, stop } = await start(row);
    try {
      const input = buildRunInput(golden, folder);
      const failure = await failureOf(runner.run(input, runContext()));
      expect(failure).toBeInstanceOf(row.error);
      const { code, retryable, fault } = exampleOf(row);
      expect(failure).toMatchObject({ code, retryable, fault });
      if (failure instanceof RunnerProtocolError) expect(failure.reason).toBe(row.reason);
      if (failure instanceof RunnerBusyError)
        expect(failure.retryAfterSeconds !== undefined).toBe(row.hasPause === true);
      await expect(access(input.archivePath)).rejects.toMatchObject({ code: 'ENOENT' });
      heal();
      expect((await runner.run(buildRunInput(golden, folder), runContext())).velocity).toHaveLength(3);
    } finally {
      await runner.close();
      await stop();
    }
  });

  it('that does not listen is unavailable', async () => {
    const { runner, stop } = await start(null);
    await stop();
    const input = buildRunInput(golden, folder);
    expect(await failureOf(runner.run(input, runContext()))).toBeInstanceOf(NOBODY_LISTENS);
    expect((await runner.health()).state).toBe('UNHEALTHY');
    await runner.close();
  });
});
