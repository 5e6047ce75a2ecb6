import { createVideoDecoder } from '../../platform/media/create-video-decoder.js';
import { offerToOutOfMemoryKiller } from '../../platform/out-of-memory.js';
import type { Logger } from '../../platform/logging/logger.js';
import { RunnerError } from '../runner.errors.js';
import type { CheckpointReceiver } from '../result/checkpointer.js';
import { WeightsStore } from './cns/weights-store.js';
import { runnerErrorCode } from './error-codec.js';
import { throttleProgress } from './progress-throttle.js';
import { ROWS_PER_MESSAGE, runnerMessageSchema, type EngineMessage, type RunnerMessage } from './protocol.js';
import { runServoJob } from './servo-job.js';
import { GoalCache } from './observers/goal-cache.js';
import { ThreadedObservers } from './observers/threaded-observers.js';
import { createServoPipeline } from './pipeline.js';

/**
 * An engine: a child process that works on one job at a time and stays warm between jobs. It lives as long as the
 * channel to its runner; a crash in here is an event for the runner, not an outage.
 */

const PROGRESS_EVERY_MS = 200;
/** Some fifty goals of SIFT, hundreds of the others. */
const GOAL_CACHE_BYTES = 64 * 1024 ** 2;

const [threads, ffmpegPath] = process.argv.slice(2);

const logger = channelLogger({});
/** For all jobs; each has a session, and so a process, of its own. */
const decoder = createVideoDecoder({ logger, ffmpegPath });
const observers = new ThreadedObservers(Number(threads));
const goals = new GoalCache(GOAL_CACHE_BYTES);
const weights = new WeightsStore();
let current: { runId: number; controller: AbortController } | null = null;

process.on('message', (raw) => {
  const message = runnerMessageSchema.parse(raw);
  if (message.type === 'cancel') {
    if (current?.runId === message.runId) current.controller.abort();
    return;
  }
  if (current !== null) throw new Error('A job came while another one is running.');
  void work(message);
});
process.once('disconnect', endUnheard);
// A channel that closed while this file was loading is not announced any more.
if (process.connected) void begin();
else endUnheard();

/** Without its runner nobody waits for the result; the decoder's process ends with this one. */
function endUnheard(): never {
  process.exit(0);
}

async function begin(): Promise<void> {
  // Starts beside the first job's arrival rather than in it.
  decoder.prepare();
  observers.prepare();
  send({ type: 'ready' });
  // Before the decoders: an engine holds more, and its job is repeated.
  await offerToOutOfMemoryKiller(800);
}

type Order = Extract<RunnerMessage, { type: 'run' }>;

async function work(order: Order): Promise<void> {
  const { runId } = order;
  const controller = new AbortController();
  current = { runId, controller };
  send({ type: 'begun', runId });
  const outcome = await attempt(order, controller.signal);
  // Before the answer: the next job may follow at once.
  current = null;
  send(outcome);
  decoder.prepare();
}

async function attempt(
  { runId, input, wantsCheckpoints, cnsWeights, picturesMaxBytes }: Order,
  signal: AbortSignal,
): Promise<EngineMessage> {
  const rssBytes = () => process.memoryUsage.rss();
  const rows: number[][] = [];
  try {
    const result = await runServoJob(
      input,
      {
        decoder,
        createPipeline: createServoPipeline,
        observers,
        goals,
        loadWeights: () => weights.load(cnsWeights ?? null),
        picturesMaxBytes,
      },
      {
        signal,
        onRow: (row) => rows.push(row),
        onProgress: throttleProgress(PROGRESS_EVERY_MS, (progress) => {
          while (rows.length > 0) send({ type: 'rows', runId, rows: rows.splice(0, ROWS_PER_MESSAGE) });
          send({ type: 'progress', runId, ...progress });
        }),
        onUsage: (usage) => {
          send({ type: 'usage', runId, usage });
        },
        ...(wantsCheckpoints ? { checkpoints: checkpointsOf(runId) } : {}),
        onAlive: () => {
          send({ type: 'alive', runId });
        },
      },
    );
    return { type: 'done', runId, result, rssBytes: rssBytes() };
  } catch (error) {
    const code = error instanceof RunnerError ? runnerErrorCode(error) : null;
    if (error instanceof RunnerError && code !== null) {
      if (code !== 'runner-cancelled' && error.cause !== undefined) {
        logger.debug('job failed', { code, cause: describe(error.cause) });
      }
      return { type: 'failed', runId, code, message: error.message, rssBytes: rssBytes() };
    }
    logger.error('unexpected failure in an engine', { error: describe(error) });
    const message = 'The engine failed unexpectedly.';
    return { type: 'failed', runId, code: 'runner-crashed', message, rssBytes: rssBytes() };
  }
}

function checkpointsOf(runId: number): CheckpointReceiver {
  return {
    onCheckpoint: (checkpoint) => {
      send({ type: 'checkpoint', runId, checkpoint });
    },
    onFailure: (error) => {
      logger.warn('no more checkpoints of this attempt are made', { error: describe(error) });
    },
  };
}

/** Sends log lines to the runner, whose logger knows where they go. */
function channelLogger(context: Record<string, unknown>): Logger {
  const log =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: Record<string, unknown> = {}) => {
      const all = { ...context, ...fields };
      const plain = Object.fromEntries(Object.entries(all).map(([name, value]) => [name, describe(value)]));
      send({ type: 'log', level, message, fields: plain });
    };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (fields) => channelLogger({ ...context, ...fields }),
  };
}

/** Something the channel can carry: functions and class instances cannot be cloned. */
function describe(value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  if (value === null || typeof value !== 'object') {
    return typeof value === 'function' || typeof value === 'symbol' ? String(value) : value;
  }
  return JSON.stringify(value);
}

function send(message: EngineMessage): void {
  // The runner may be gone without this process having heard of it yet.
  process.send?.(message, (error: Error | null) => {
    if (error !== null) endUnheard();
  });
}
