import { pipeline } from 'node:stream/promises';
import {
  JOB_STATUSES,
  type cancelJobRoute,
  type deleteResultRoute,
  type jobArchiveRoute,
  type jobResultRoute,
  type jobStatusRoute,
  type submitInferenceRoute,
} from '../../contract/inference.contract.js';
import type {
  getJobRoute,
  jobTrajectoryRoute,
  jobVelocityRoute,
  listJobsRoute,
  retryJobRoute,
} from '../../contract/job.contract.js';
import { ANSWERED, type AuthenticatedScope, type RouteHandler } from '../../http/route-table.js';
import { parseModelReference } from '../model/model.domain.js';
import {
  isoTime,
  presentCancellation,
  presentJob,
  presentJobStatus,
  presentListedJob,
  presentResult,
  presentSubmission,
  presentTrajectory,
  presentVelocity,
} from './inference.presenter.js';
import type { InferenceReadingService } from './inference-reading.service.js';
import type { InferenceResultService } from './inference-result.service.js';
import type { InferenceService } from './inference.service.js';
import type { JobWaiter } from './job-waiter.js';

interface Deps {
  inference: InferenceService;
  reading: InferenceReadingService;
  results: InferenceResultService;
  waiter: JobWaiter;
}

export class InferenceController {
  constructor(private readonly deps: Deps) {}

  readonly submit: RouteHandler<typeof submitInferenceRoute> = async ({ body, headers }, scope) => {
    const { userId } = scope.principal;
    const answer = await scope.once.run(
      (once) => this.deps.inference.submit({ ...body, userId }, once),
      presentSubmission,
    );
    // Not part of what a repetition is answered: the jobs go on, the answer stays.
    const waited = await this.waitFor(answer.body.jobId, headers.Prefer, scope);
    if (waited === null) return answer;
    const jobs = await this.deps.reading.statuses(userId, answer.body.jobId);
    return { body: { ...answer.body, jobs }, headers: { ...answer.headers, ...waited } };
  };

  readonly retry: RouteHandler<typeof retryJobRoute> = ({ params }, { principal, once }) =>
    once.run((once) => this.deps.inference.retry(principal.userId, params.id, once), presentSubmission);

  readonly list: RouteHandler<typeof listJobsRoute> = async ({ query }, { principal }) => {
    const page = await this.deps.reading.list(principal.userId, {
      statuses: query.status ?? JOB_STATUSES,
      datasetId: query.dataset ?? null,
      model: query.model === undefined ? null : parseModelReference(query.model),
      tag: query.tag ?? null,
      createdFrom: query.created_from ?? null,
      createdTo: query.created_to ?? null,
      limit: query.limit,
      cursor: query.cursor,
    });
    return { body: { jobs: page.items.map(presentListedJob), nextCursor: page.nextCursor } };
  };

  readonly get: RouteHandler<typeof getJobRoute> = async ({ params, headers }, scope) => {
    const { userId } = scope.principal;
    const view = await this.deps.reading.view(userId, params.id);
    const waited = await this.waitFor([params.id], headers.Prefer, scope);
    if (waited === null) return { body: { job: presentJob(view) } };
    return { body: { job: presentJob(await this.deps.reading.view(userId, params.id)) }, headers: waited };
  };

  readonly status: RouteHandler<typeof jobStatusRoute> = async ({ params, headers }, scope) => {
    const { userId } = scope.principal;
    const job = await this.deps.reading.status(userId, params.id);
    const waited = await this.waitFor([params.id], headers.Prefer, scope);
    if (waited === null) return { body: presentJobStatus(job) };
    return { body: presentJobStatus(await this.deps.reading.status(userId, params.id)), headers: waited };
  };

  readonly cancel: RouteHandler<typeof cancelJobRoute> = async ({ params }, { principal }) => {
    const job = await this.deps.inference.cancel(principal.userId, params.id);
    const body = presentCancellation(job);
    return job.status === 'RUNNING' ? { status: 202, body } : { body };
  };

  readonly velocity: RouteHandler<typeof jobVelocityRoute> = async ({ params, query }, { principal }) => {
    const { job, ...rows } = await this.deps.results.velocity(principal.userId, params.id, query);
    return { body: presentVelocity(job, { ...rows, from: query.from }) };
  };

  readonly trajectory: RouteHandler<typeof jobTrajectoryRoute> = async ({ params, query }, { principal }) => {
    const trajectory = await this.deps.results.trajectory(principal.userId, params.id, query);
    return { body: presentTrajectory(trajectory, query) };
  };

  readonly result: RouteHandler<typeof jobResultRoute> = async ({ params }, { principal }) => {
    const { payload, expiresAt } = await this.deps.results.get(principal.userId, params.id);
    return { body: { results: presentResult(payload), expires_at: isoTime(expiresAt) } };
  };

  readonly deleteResult: RouteHandler<typeof deleteResultRoute> = async ({ params }, { principal }) => {
    await this.deps.results.delete(principal.userId, params.id);
    return { body: { message: 'Result deleted successfully' } };
  };

  readonly archive: RouteHandler<typeof jobArchiveRoute> = async ({ params }, { principal, request, response }) => {
    const archive = await this.deps.results.archive(principal.userId, params.id);
    response.status(200).set({
      'Content-Type': 'application/zip',
      'Content-Length': String(archive.bytes),
      'Content-Disposition': `attachment; filename="infernode-${params.id}.zip"`,
      'Cache-Control': 'private, no-cache',
      ETag: `"${archive.sha256}"`,
    });
    if (request.method === 'HEAD') {
      archive.stream.destroy();
      response.end();
      return ANSWERED;
    }
    await pipeline(archive.stream, response);
    return ANSWERED;
  };

  /** @returns the header that tells of the wait; null when there was none */
  private async waitFor(ids: readonly string[], seconds: number | undefined, scope: AuthenticatedScope) {
    if (seconds === undefined) return null;
    const { principal, signal } = scope;
    const isGranted = await this.deps.waiter.untilEnded(principal.userId, ids, { seconds, signal });
    return isGranted ? { 'Preference-Applied': `wait=${seconds}` } : null;
  }
}
