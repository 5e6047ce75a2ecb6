import { AppError, invalidField } from '../../platform/app-error.js';
import type { Transaction, UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { Once } from '../../platform/once.js';
import { CNS_MODEL, type Policy, type RunParameters } from '../../runners/runner.port.js';
import { priceOfFrames } from '../credit/credit.domain.js';
import type { CreditRepository } from '../credit/credit.repository.js';
import type { DatasetRepository } from '../dataset/dataset.repository.js';
import type { EventRepository } from '../event/event.repository.js';
import { parseModelReference, requirementsOf, type Model, type ModelOfJob } from '../model/model.domain.js';
import type { CheckedParameters, ModelParameters } from '../model/model-parameters.js';
import type { ModelRepository } from '../model/model.repository.js';
import type { RunnerService } from '../runner/runner.service.js';
import type { RunnerRepository } from '../runner/runner.repository.js';
import type { Video } from '../video/video.domain.js';
import type { VideoRepository } from '../video/video.repository.js';
import {
  DEFAULT_DISTANCE,
  DEFAULT_INTRINSICS,
  isFinal,
  pairVideos,
  processedFrames,
  type Job,
  type Pair,
} from './inference.domain.js';
import { settleEnd } from './inference.endings.js';
import { statusEvent } from './inference.events.js';
import { policyFor, requireRunner } from './required-runner.domain.js';
import type { CheckpointRepository } from './checkpoint.repository.js';
import type { InferenceRepository, NewJob } from './inference.repository.js';

interface Repositories {
  checkpoints: CheckpointRepository;
  credits: CreditRepository;
  datasets: DatasetRepository;
  events: EventRepository;
  jobs: InferenceRepository;
  models: ModelRepository;
  runners: RunnerRepository;
  videos: VideoRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  modelParameters: ModelParameters;
  runners: Pick<RunnerService, 'inServiceNow'>;
  framesPerCredit: number;
  /** The longest timeout that an owner may give. */
  longestTimeoutSeconds: number;
}

export interface Submission {
  userId: string;
  datasetId: string;
  /** "all" or "a-b". */
  range: string;
  priority: number;
  startDeadline?: Date | undefined;
  /** Seconds. */
  timeout?: number | undefined;
  /** Name or name@version; left out: the engine of this product. */
  model?: string | undefined;
  /** As the contract has parsed them; what the model says of them is still to be checked. */
  parameters: Readonly<Record<string, unknown>>;
}

/** One job as a quote tells it. */
export interface QuotedJob {
  /** Processed frames. */
  frames: number;
  cost: number;
  goalVideoId: string;
  currentVideoId: string;
}

type Scope = Transaction<Repositories>;

/** What the jobs of one request have in common. */
type JobOrder = Omit<NewJob, 'goalVideoId' | 'currentVideoId' | 'cost'>;

export class InferenceService {
  constructor(private readonly deps: Deps) {}

  /**
   * Creates one job per pair of videos, all paid, or none.
   * @throws AppError not-found, model-unavailable, empty-dataset, validation-failed, policy-unavailable,
   *   insufficient-credits
   */
  async submit(submission: Submission, once: Once<Job[]>): Promise<Job[]> {
    const { userId, datasetId, priority } = submission;
    return this.deps.uow.run(
      async (scope) => {
        // Within: what was accepted once is answered to its repetition, also when its time has passed.
        const limits = this.checkLimits(submission);
        await scope.repositories.datasets.hold(userId, datasetId);
        const { pairs, parameters, model } = await this.plan(scope.repositories, submission);
        return this.create(scope, pairs, { userId, datasetId, parameters, model, priority, ...limits, retryOf: null });
      },
      { once },
    );
  }

  /**
   * Creates a job like one that has ended; paid like any other. It goes on where that one stopped, as far as that is kept.
   * @returns the one new job
   * @throws AppError not-found, job-not-final, job-inputs-gone, model-unavailable, policy-unavailable,
   *   insufficient-credits
   */
  retry(userId: string, id: string, once: Once<Job[]>): Promise<Job[]> {
    return this.deps.uow.run(
      async (scope) => {
        const { jobs, videos } = scope.repositories;
        const ended = await jobs.getOwned(userId, id);
        if (!isFinal(ended.status)) {
          throw new AppError('job-not-final', `The job is ${ended.status}; it can be repeated when it has ended.`);
        }
        const { datasetId, parameters, model, priority, timeoutSeconds } = ended;
        const active = await this.requireModel(scope.repositories, `${model.name}@${model.version}`);
        requireRunner(await this.deps.runners.inServiceNow(scope.repositories.runners), requirementsOf(ended, active));
        await this.holdInputs(scope, ended);
        const live = new Map((await videos.listOf(datasetId)).map((video) => [video.id, video]));
        const goal = live.get(ended.goalVideoId);
        const current = live.get(ended.currentVideoId);
        if (goal === undefined || current === undefined) throw inputsGone('A video');
        const limits = { startDeadline: null, timeoutSeconds };
        const order = { userId, datasetId, parameters, model, priority, ...limits, retryOf: ended.id };
        const created = await this.create(scope, [{ goal, current }], order);
        for (const { id } of created) await scope.repositories.checkpoints.handOver(ended.id, id);
        return created;
      },
      { once },
    );
  }

  private async holdInputs({ repositories }: Scope, { userId, datasetId }: Job): Promise<void> {
    try {
      await repositories.datasets.hold(userId, datasetId);
    } catch (error) {
      if (error instanceof AppError && error.code === 'not-found') throw inputsGone('The dataset', error);
      throw error;
    }
  }

  /** The jobs with their price, their events and their bells, in the caller's transaction. */
  private async create({ repositories, ring }: Scope, pairs: readonly Pair[], order: JobOrder): Promise<Job[]> {
    const { userId, parameters } = order;
    const cost = this.priceOf(parameters);
    await repositories.credits.requireBalance(userId, cost * pairs.length);
    const jobs: Job[] = [];
    for (const { goal, current } of pairs) {
      jobs.push(await repositories.jobs.create({ ...order, goalVideoId: goal.id, currentVideoId: current.id, cost }));
    }
    // What locks the user's row comes last: every event of this user waits for it.
    for (const job of cost > 0 ? jobs : []) {
      await repositories.credits.book({
        userId,
        kind: 'inference-hold',
        amount: -cost,
        reference: { type: 'job', id: job.id },
        reason: `Inference on ${processedFrames(parameters)} frames`,
        actorId: userId,
      });
    }
    await repositories.events.append(
      userId,
      jobs.map((job) => statusEvent(job)),
    );
    for (const job of jobs) ring({ kind: 'run-inference', id: job.id, round: 0, priority: job.priority, delayMs: 0 });
    return jobs;
  }

  /**
   * The jobs that a submission would create, each with its price; nothing is charged.
   * @throws AppError as `submit`, but for the credits
   */
  async quote(submission: Omit<Submission, 'priority'>): Promise<QuotedJob[]> {
    const { repositories } = this.deps;
    await repositories.datasets.get(submission.userId, submission.datasetId);
    const { pairs, parameters, cost } = await this.plan(repositories, submission);
    const frames = processedFrames(parameters);
    return pairs.map(({ goal, current }) => ({ frames, cost, goalVideoId: goal.id, currentVideoId: current.id }));
  }

  /** Everything that decides about a submission but the caller's right to the dataset and the credits. */
  private async plan(
    repositories: Pick<Repositories, 'videos' | 'models' | 'runners'>,
    submission: Omit<Submission, 'priority'>,
  ) {
    const model = await this.requireModel(repositories, submission.model ?? CNS_MODEL.name);
    const { run, own } = this.deps.modelParameters.check(model, submission.parameters);
    const runners = await this.deps.runners.inServiceNow(repositories.runners);
    const parameters = completeParameters(run, policyFor(model.name, runners));
    requireRunner(runners, requirementsOf({ parameters }, model));
    const videos = selectRange(await repositories.videos.listOf(submission.datasetId), submission.range);
    const pairs = pairVideos(videos);
    pairs.forEach((pair) => checkFrames(pair, parameters));
    const ofJob: ModelOfJob = { id: model.id, name: model.name, version: model.version, parameters: own };
    return { pairs, parameters, model: ofJob, cost: this.priceOf(parameters) };
  }

  private priceOf(parameters: RunParameters): number {
    return priceOfFrames(processedFrames(parameters), this.deps.framesPerCredit);
  }

  /**
   * Stops a job: at once while it waits, else as soon as its runner has stopped.
   * @returns the job, ABORTED or still RUNNING
   * @throws AppError not-found, job-already-final
   */
  cancel(userId: string, id: string): Promise<Job> {
    return this.deps.uow.run(async (scope) => {
      const job = await scope.repositories.jobs.requestCancel(userId, id);
      return job.status === 'ABORTED' ? settleEnd(scope, job) : job;
    });
  }

  private checkLimits({ startDeadline, timeout }: Submission): Pick<JobOrder, 'startDeadline' | 'timeoutSeconds'> {
    if (startDeadline !== undefined && startDeadline.getTime() <= Date.now()) {
      throw invalidField('startDeadline', 'This time has passed.');
    }
    const longest = this.deps.longestTimeoutSeconds;
    if (timeout !== undefined && timeout > longest) {
      throw invalidField('timeout', `An attempt may take ${longest} s at most on this installation.`);
    }
    return { startDeadline: startDeadline ?? null, timeoutSeconds: timeout ?? null };
  }

  /** Nobody deletes it until the end of the transaction. @throws AppError model-unavailable */
  private async requireModel({ models }: Pick<Repositories, 'models'>, reference: string): Promise<Model> {
    const model = await models.findActive(parseModelReference(reference));
    if (model !== null) return model;
    const detail = `There is no active model "${reference}". GET /api/models lists those there are.`;
    throw new AppError('model-unavailable', detail, { errors: [{ path: 'model', message: detail }] });
  }
}

function completeParameters(given: CheckedParameters['run'], defaultPolicy: Policy): RunParameters {
  return {
    startFrame: given.startFrame,
    endFrame: given.endFrame,
    frameStep: given.frameStep,
    goalFrameId: given.goalFrameId,
    detector: given.detector,
    policy: given.policy ?? defaultPolicy,
    useGpus: given.useGpus,
    intrinsics: given.intrinsics ?? DEFAULT_INTRINSICS,
    distance: given.distance ?? DEFAULT_DISTANCE,
    visualize: given.visualize ?? 'sampled',
  };
}

const inputsGone = (what: string, cause?: AppError): AppError =>
  new AppError('job-inputs-gone', `${what} of this job has been deleted.`, { cause });

function selectRange(videos: readonly Video[], range: string): readonly Video[] {
  if (videos.length === 0) throw new AppError('empty-dataset', 'Upload a video into the dataset first.');
  if (range === 'all') return videos;
  const [first, last] = range.split('-').map(Number);
  if (last >= videos.length) {
    throw invalidField('range', `The dataset has ${videos.length} videos: the last position is ${videos.length - 1}.`);
  }
  return videos.slice(first, last + 1);
}

function checkFrames({ goal, current }: Pair, { endFrame, goalFrameId }: RunParameters): void {
  const errors = [];
  if (endFrame >= current.frameCount) {
    const message = `"${current.name}" has ${current.frameCount} frames: the last one is ${current.frameCount - 1}.`;
    errors.push({ path: 'parameters.endFrame', message });
  }
  if (goalFrameId >= goal.frameCount) {
    const message = `"${goal.name}" has ${goal.frameCount} frames: the last one is ${goal.frameCount - 1}.`;
    errors.push({ path: 'parameters.goalFrameId', message });
  }
  if (errors.length > 0) throw new AppError('validation-failed', errors[0].message, { errors });
}
