import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../src/platform/logging/logger.js';
import type { DecodingSession, FrameRange, VideoFrame } from '../../src/platform/media/video-decoder.port.js';

const fixtures = join(import.meta.dirname, '../fixtures');
export const media = (name: string) => join(fixtures, 'media', name);
export const golden = (name: string) => join(fixtures, 'golden', name);
export const LONG_VIDEO = golden('dev-a-translate-xy/current.mp4');
export const LONG_VIDEO_FRAMES = 60;

export const never = new AbortController().signal;
export const systemFfmpeg = process.env.FFMPEG_PATH ?? 'ffmpeg';
export const hasSystemFfmpeg = canRun(systemFfmpeg);
if (!hasSystemFfmpeg) {
  process.stderr.write(`No ffmpeg at "${systemFfmpeg}": only the built-in decoder is tested. FFMPEG_PATH names one.\n`);
}

/** The decoders that this machine has. */
export const decoders: { name: string; ffmpegPath?: string }[] = [{ name: 'built-in decoder' }];
if (hasSystemFfmpeg) decoders.push({ name: 'system ffmpeg', ffmpegPath: systemFfmpeg });

export async function collect(
  decoder: Pick<DecodingSession, 'frames'>,
  path: string,
  range: FrameRange,
): Promise<VideoFrame[]> {
  const frames: VideoFrame[] = [];
  for await (const frame of decoder.frames(path, range, { signal: never })) frames.push(frame);
  return frames;
}

export function digest(frame: VideoFrame | undefined): string {
  return createHash('sha256')
    .update(frame?.gray ?? 'no frame')
    .digest('hex');
}

/** Writes a file and returns its path. */
export async function writtenFile(folder: string, name: string, content: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
  // Dead, but nobody has asked for its exit code: containers without an init process leave orphans like that.
  const status = `/proc/${pid}/stat`;
  return !existsSync(status) || !/\) Z /.test(readFileSync(status, 'utf8'));
}

export function lastOf(pids: number[]): number {
  const pid = pids.at(-1);
  if (pid === undefined) throw new Error('No decoder was started');
  return pid;
}

export function quietLogger(): Logger {
  return recordingLogger().logger;
}

/** Tells which processes a decoder starts. */
export function recordingLogger(onStart: (pid: number) => void = () => undefined): {
  logger: Logger;
  started: number[];
} {
  const started: number[] = [];
  const ignore = () => undefined;
  const logger: Logger = {
    debug: (_message, fields) => {
      const pid = Number(fields?.pid);
      started.push(pid);
      onStart(pid);
    },
    info: ignore,
    warn: ignore,
    error: ignore,
    child: () => logger,
  };
  return { logger, started };
}

function canRun(binary: string): boolean {
  try {
    execFileSync(binary, ['-version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
