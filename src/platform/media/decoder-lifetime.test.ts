import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  collect,
  decoders,
  isRunning,
  lastOf,
  LONG_VIDEO,
  LONG_VIDEO_FRAMES,
  never,
  quietLogger,
  recordingLogger,
  writtenFile,
} from '../../../tests/support/decoders.js';
import { createVideoDecoder, type VideoDecoderOptions } from './create-video-decoder.js';
import { DecoderFailedError } from './video-decoder.port.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decoder-'));
});
afterAll(() => rm(folder, { recursive: true }));
const temporary = (name: string, content: Uint8Array) => writtenFile(folder, name, content);

describe.each(decoders)('the process of the $name', ({ ffmpegPath }) => {
  const create = (options: Partial<VideoDecoderOptions> = {}) =>
    createVideoDecoder({ ffmpegPath, logger: quietLogger(), ...options });
  const everyFrame = { start: 0, end: LONG_VIDEO_FRAMES - 1, step: 1 };

  it('waits while nobody takes frames, and ends when the loop is left', async () => {
    const { logger, started } = recordingLogger();
    const watched = create({ logger });
    let taken = 0;
    for await (const frame of watched.frames(LONG_VIDEO, everyFrame, { signal: never })) {
      taken++;
      // Time enough to decode everything: a probe of the same video does.
      if (frame.index === 0) await create().probe(LONG_VIDEO, { signal: never });
      expect(isRunning(lastOf(started))).toBe(true);
      if (taken === 3) break;
    }
    expect(started.every((pid) => !isRunning(pid))).toBe(true);
  });

  it('ends at once when aborted between frames', async () => {
    const { logger, started } = recordingLogger();
    const abort = new AbortController();
    const reason = new Error('no longer wanted');
    const run = async () => {
      for await (const frame of create({ logger }).frames(LONG_VIDEO, everyFrame, { signal: abort.signal })) {
        if (frame.index === 2) abort.abort(reason);
      }
    };
    await expect(run()).rejects.toBe(reason);
    expect(started.every((pid) => !isRunning(pid))).toBe(true);
  });

  it('ends at once when aborted during a probe, also one that does not answer', async () => {
    const abort = new AbortController();
    const reason = new Error('no longer wanted');
    const { logger, started } = recordingLogger((pid) => {
      process.kill(pid, 'SIGSTOP');
      abort.abort(reason);
    });
    await expect(create({ logger }).probe(LONG_VIDEO, { signal: abort.signal })).rejects.toBe(reason);
    expect(started.every((pid) => !isRunning(pid))).toBe(true);
  });

  it('starts nothing when aborted before', async () => {
    const { logger, started } = recordingLogger();
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(create({ logger }).probe(LONG_VIDEO, { signal })).rejects.toBe(signal.reason);
    expect(started).toEqual([]);
  });

  it('tells that it was killed', async () => {
    const { logger, started } = recordingLogger();
    const run = async () => {
      for await (const frame of create({ logger }).frames(LONG_VIDEO, everyFrame, { signal: never })) {
        if (frame.index === 0) process.kill(lastOf(started), 'SIGKILL');
      }
    };
    await expect(run()).rejects.toBeInstanceOf(DecoderFailedError);
  });

  it('tells that it hangs', async () => {
    const { logger } = recordingLogger((pid) => process.kill(pid, 'SIGSTOP'));
    const stuck = create({ logger, frameTimeoutMs: 200 });
    await expect(stuck.probe(LONG_VIDEO, { signal: never })).rejects.toThrow(/no progress for 0.2 s/);
    await expect(collect(stuck, LONG_VIDEO, everyFrame)).rejects.toBeInstanceOf(DecoderFailedError);
  });

  it('has a limited time for a probe', async () => {
    const hurried = create({ probeTimeoutMs: 1 });
    await expect(hurried.probe(LONG_VIDEO, { signal: never })).rejects.toBeInstanceOf(DecoderFailedError);
  });

  it('dies with the application', async () => {
    const application = await startApplication(ffmpegPath);
    expect(isRunning(application.decoderPid)).toBe(true);
    process.kill(application.pid, 'SIGKILL');
    await expect.poll(() => isRunning(application.decoderPid), { timeout: 20_000 }).toBe(false);
  });
});

/** A process that has taken one frame and then waits for ever; its decoder waits for it. */
async function startApplication(ffmpegPath: string | undefined): Promise<{ pid: number; decoderPid: number }> {
  const source = `
    import { createVideoDecoder } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'create-video-decoder.ts')).href)};
    let pid;
    const logger = { debug: (message, fields) => (pid = fields.pid), warn() {}, info() {}, error() {}, child: () => logger };
    const decoder = createVideoDecoder({ ffmpegPath: ${JSON.stringify(ffmpegPath ?? '')}, logger });
    const range = { start: 0, end: 59, step: 1 };
    const signal = new AbortController().signal;
    for await (const frame of decoder.frames(${JSON.stringify(LONG_VIDEO)}, range, { signal })) {
      console.log(pid);
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    }`;
  const script = await temporary(`application-${ffmpegPath ? 'system' : 'built-in'}.mts`, Buffer.from(source));
  const tsx = pathToFileURL(join(import.meta.dirname, '../../../node_modules/tsx/dist/loader.mjs')).href;
  const child = spawn(process.execPath, ['--import', tsx, script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const decoderPid = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())));
    child.once('exit', () => reject(new Error('The application ended before its first frame')));
  });
  return { pid: child.pid ?? 0, decoderPid };
}
