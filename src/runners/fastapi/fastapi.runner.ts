import { setMaxListeners } from 'node:events';
import { rm } from 'node:fs/promises';

import { ArchiveError, ZipArchive } from '../../platform/archive/zip-archive.js';
import { parseDetector } from '../detector.js';
import { HttpClient } from '../http-kit/http-client.js';
import { DEFAULT_REMOTE_LIMITS, type RemoteLimits } from '../http-kit/remote-limits.js';
import {
  RunnerCancelledError,
  RunnerError,
  RunnerProtocolError,
  RunnerRefusedError,
  RunnerTimeoutError,
  RunnerUnavailableError,
  type StopEvidence,
} from '../runner.errors.js';
import type {
  RunContext,
  RunInput,
  Runner,
  RunnerDescription,
  RunnerHealth,
  RunParameters,
  RunResult,
} from '../runner.port.js';
import { AbilitiesReader, type Abilities } from './abilities.js';
import type { FastApiRunnerOptions } from './fastapi.options.js';
import { framesOf, toRunResult } from './from-response.js';
import { readHealth } from './health.js';
import { JobFollower } from './job-follower.js';
import { largestAnswer } from './largest-answer.js';
import { refusalOf } from './refusal.js';
import { JobStopper } from './stop-job.js';
import { requestedDevice, serverJobId, toAnalyzeForm } from './to-request.js';
import { analysisSchema, type Analysis } from './wire.js';

/** A picture and a few texts per frame, of the longest videos. */
const ARCHIVE_LIMITS = { maxEntries: 300_000, maxTotalBytes: 64 * 1024 ** 3 };
/** As servers name a ZIP, or do not. */
const ARCHIVE_TYPES = /^(application\/(zip|x-zip|x-zip-compressed|octet-stream)|binary\/octet-stream)$/;

/** Runs jobs on a model server that speaks the FastAPI contract, of the first version or with all that came later. */
export function createFastApiRunner(options: FastApiRunnerOptions): Runner {
  if (!Number.isInteger(options.slots) || options.slots < 1) {
    throw new RangeError('A model server has at least one slot.');
  }
  if (options.url.protocol !== 'http:' && options.url.protocol !== 'https:') {
    throw new RangeError('A model server of the FastAPI contract has an address with http: or https:.');
  }
  return new FastApiRunner(options);
}

/** One job on its way. */
interface RemoteJob {
  input: RunInput;
  context: RunContext;
  serverJobId: string;
  startedAt: Date;
  /** What the server can do; null until it has been asked, and nothing has been begun. */
  abilities: Abilities | null;
  /** Fires when the connection is to be closed, with the reason that the run ends with. */
  connection: AbortController;
}

class FastApiRunner implements Runner {
  readonly specVersion = 1;
  private readonly limits: RemoteLimits;
  /** As a sentence begins. */
  private readonly peer: string;
  private readonly client: HttpClient;
  private readonly abilities: AbilitiesReader;
  private readonly stopper: JobStopper;
  private readonly closing = new AbortController();
  private readonly running = new Set<Promise<unknown>>();

  constructor(private readonly options: FastApiRunnerOptions) {
    const { name, url, token, logger } = options;
    this.limits = { ...DEFAULT_REMOTE_LIMITS, ...options.limits };
    this.peer = `The model server "${name}"`;
    this.client = new HttpClient({ peer: this.peer, url, token, limits: this.limits });
    const deps = { client: this.client, limits: this.limits, logger, peer: this.peer };
    this.abilities = new AbilitiesReader({ ...deps, options });
    this.stopper = new JobStopper(deps);
    // Every job listens to it; that is no leak.
    setMaxListeners(0, this.closing.signal);
  }

  describe(): RunnerDescription {
    const { version, detectors, policies, models, serves, gpu, slots } = this.abilities.current;
    return {
      kind: 'fastapi',
      name: this.options.name,
      version: version ?? 'unknown',
      detectors,
      policies,
      models,
      device: gpu === null ? 'cpu' : 'gpu',
      serves,
      slots: Math.min(this.options.slots, slots ?? Infinity),
    };
  }

  /** Asks the server; what it can do is asked as well, so that the description is that of today. */
  async health(signal: AbortSignal = new AbortController().signal): Promise<RunnerHealth> {
    if (this.closing.signal.aborted) return { state: 'CLOSED' };
    const isFull = this.running.size >= this.describe().slots;
    try {
      const health = await readHealth({ client: this.client, limits: this.limits, peer: this.peer, signal, isFull });
      // One that is only starting may not know yet.
      if (health.state === 'READY' || health.state === 'BUSY') await this.abilities.read(signal);
      return health;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RunnerError)) throw error;
      return { state: 'UNHEALTHY', detail: error.message };
    }
  }

  run(input: RunInput, context: RunContext): Promise<RunResult> {
    const job = this.runToEnd(input, context);
    this.running.add(job);
    const forget = () => this.running.delete(job);
    job.then(forget, forget);
    return job;
  }

  async close(): Promise<void> {
    this.closing.abort();
    await Promise.allSettled(this.running);
    await this.stopper.close();
    await this.client.close();
  }

  private async runToEnd(input: RunInput, context: RunContext): Promise<RunResult> {
    const { signal } = context;
    if (this.closing.signal.aborted) throw new RunnerUnavailableError('The runner is closed.');
    if (signal.aborted) throw new RunnerCancelledError('The job was stopped before it began.');
    const connection = new AbortController();
    const id = serverJobId(input);
    const job: RemoteJob = { input, context, serverJobId: id, startedAt: new Date(), abilities: null, connection };
    let stopping: Promise<StopEvidence | null> | undefined;
    const stop = () => {
      stopping ??= this.stop(job);
    };
    const sources = [signal, this.closing.signal];
    for (const source of sources) source.addEventListener('abort', stop);
    try {
      const result = await this.work(job);
      if (stopping === undefined) return result;
      throw new Error('The result came after the wish to stop.');
    } catch (error) {
      const evidence = await stopping;
      await this.removeArchive(input);
      if (signal.aborted) {
        throw new RunnerCancelledError('The job was stopped.', { stop: evidence ?? null, cause: error });
      }
      if (stopping !== undefined) throw new RunnerUnavailableError('The runner is closed.', { cause: error });
      throw this.afterFailure(error, job);
    } finally {
      for (const source of sources) source.removeEventListener('abort', stop);
      connection.abort();
    }
  }

  /** First in words, then by closing the connection. */
  private async stop({ abilities, serverJobId, startedAt, connection }: RemoteJob): Promise<StopEvidence | null> {
    if (abilities === null) {
      connection.abort(new Error('called off'));
      return null;
    }
    const confirmed = abilities.features.has('cancel') ? await this.stopper.stop(serverJobId, startedAt) : null;
    connection.abort(new Error('called off'));
    return confirmed ?? { by: 'connection', stoppedAt: new Date() };
  }

  /** A server that was too slow may still be at work, and one that failed may come back as another. */
  private afterFailure(error: unknown, { abilities, serverJobId, startedAt }: RemoteJob): unknown {
    this.abilities.forget();
    if (error instanceof RunnerTimeoutError && abilities?.features.has('cancel') === true) {
      void this.stopper.stop(serverJobId, startedAt);
    }
    return error;
  }

  private async work(job: RemoteJob): Promise<RunResult> {
    const { input, connection, context } = job;
    const abilities = await this.abilities.known(connection.signal);
    this.assertAble(input, abilities);
    const form = await toAnalyzeForm(input, abilities.gpu);
    if (abilities.maxUploadBytes !== null && form.contentLength > abilities.maxUploadBytes) {
      throw new RunnerRefusedError(`${this.peer} takes no more than ${abilities.maxUploadBytes} bytes.`);
    }
    connection.signal.throwIfAborted();
    job.abilities = abilities;
    const follower = new JobFollower(
      {
        serverJobId: job.serverJobId,
        total: framesOf(input.parameters).length,
        features: abilities.features,
        context,
      },
      { client: this.client, limits: this.limits, logger: this.options.logger, peer: this.peer },
    );
    follower.begin();
    const { analysis, url, waitedSeconds } = await this.analyze(job, form, follower);
    const result = toRunResult(analysis, {
      parameters: input.parameters,
      device: requestedDevice(input.parameters, abilities.gpu),
      isFirstVersion: abilities.version === null,
      peer: this.peer,
      waitedSeconds,
    });
    await this.fetchArchive(job, this.client.resolve(analysis.download_url, url));
    if (!follower.finish(result.velocity)) {
      result.warnings.push(
        'The velocities that the model server showed while it worked differ from those of its result.',
      );
    }
    return result;
  }

  /** @throws RunnerRefusedError */
  private assertAble({ parameters, model }: RunInput, { detectors, policies, serves }: Abilities): void {
    const { detector, policy }: RunParameters = parameters;
    const hasDetector = parseDetector(detector)?.every(({ name }) => detectors.includes(name)) === true;
    const lacking = [
      ...(hasDetector ? [] : [`the detector "${detector}"`]),
      ...(policies.includes(policy) ? [] : [`the policy "${policy}"`]),
      ...(serves.includes(model.name) ? [] : [`the model "${model.name}"`]),
    ];
    if (lacking.length > 0) throw new RunnerRefusedError(`${this.peer} does not have ${lacking.join(' and ')}.`);
  }

  private async analyze(
    { connection, abilities, input }: RemoteJob,
    form: Awaited<ReturnType<typeof toAnalyzeForm>>,
    follower: JobFollower,
  ): Promise<{ analysis: Analysis; url: URL; waitedSeconds: number }> {
    const answered = new AbortController();
    let following: Promise<void> | undefined;
    let sentAt = performance.now();
    const onSent = () => {
      sentAt = performance.now();
      if (abilities?.features.has('progress') !== true || answered.signal.aborted) return;
      // A redirect asks for the input again.
      following ??= follower.follow(answered.signal).catch((error: unknown) => connection.abort(error));
    };
    try {
      const { answerMs, readMs } = this.limits;
      const call = { method: 'POST', path: 'analyze', body: form, answerMs, readMs, carriesJob: true, onSent } as const;
      return await this.client.send({ ...call, signal: connection.signal }, async (answer) => {
        const waitedSeconds = (performance.now() - sentAt) / 1000;
        if (answer.status !== 200) throw await refusalOf(answer, this.peer);
        const maxBytes = largestAnswer(framesOf(input.parameters).length, this.limits);
        const analysis = await answer.json(analysisSchema, 'its result', maxBytes);
        return { analysis, url: answer.url, waitedSeconds };
      });
    } finally {
      answered.abort();
      await following;
    }
  }

  private async fetchArchive({ input, connection }: RemoteJob, url: URL): Promise<void> {
    const { callMs, archiveMs, archiveBytes } = this.limits;
    const call = { method: 'GET', path: url, answerMs: callMs, readMs: archiveMs, carriesJob: true } as const;
    await this.client.send({ ...call, signal: connection.signal }, async (answer) => {
      if (answer.status !== 200) {
        const { cause } = await refusalOf(answer, this.peer);
        const message = `${this.peer} answers HTTP ${answer.status} instead of the archive that it promised.`;
        throw new RunnerProtocolError('unexpected-status', message, { cause });
      }
      await answer.saveTo(input.archivePath, 'the archive', { types: ARCHIVE_TYPES, maxBytes: archiveBytes });
    });
    await this.assertArchive(input.archivePath);
  }

  /** @throws RunnerProtocolError not-a-zip */
  private async assertArchive(path: string): Promise<void> {
    try {
      const archive = await ZipArchive.open(path, ARCHIVE_LIMITS);
      archive.close();
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      const message = `${this.peer} sends an archive that is no ZIP file: ${error.message}`;
      throw new RunnerProtocolError('not-a-zip', message, { cause: error });
    }
  }

  private async removeArchive({ archivePath, jobId }: RunInput): Promise<void> {
    try {
      await rm(archivePath, { force: true });
    } catch (error) {
      this.options.logger.warn('An unfinished archive could not be removed', { jobId, error });
    }
  }
}
