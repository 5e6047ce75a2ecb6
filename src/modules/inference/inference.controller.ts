import { pipeline } from 'node:stream/promises';
import type {
  cancelJobRoute,
  jobArchiveRoute,
  jobResultRoute,
  jobStatusRoute,
  submitInferenceRoute,
} from '../../contract/inference.contract.js';
import type { getJobRoute, listJobsRoute } from '../../contract/job.contract.js';
import { ANSWERED, type RouteHandler } from '../../http/route-table.js';
import type { Job } from './inference.domain.js';
import {
  presentCancellation,
  presentJob,
  presentJobStatus,
  presentListedJob,
  presentResult,
} from './inference.presenter.js';
import { JOB_STATUSES } from '../../contract/inference.contract.js';
import type { InferenceReadingService } from './inference-reading.service.js';
import type { InferenceService } from './inference.service.js';

export class InferenceController {
  constructor(
    private readonly inference: InferenceService,
    private readonly reading: InferenceReadingService,
  ) {}

  readonly submit: RouteHandler<typeof submitInferenceRoute> = ({ body }, { principal, once }) =>
    once.run(
      (once) => this.inference.submit({ ...body, userId: principal.userId }, once),
      (jobs: Job[]) => ({
        body: { jobId: jobs.map((job) => job.id) },
        headers: { Location: `/api/inference/status/${jobs[0].id}` },
      }),
    );

  readonly list: RouteHandler<typeof listJobsRoute> = async ({ query }, { principal }) => {
    const page = await this.reading.list(principal.userId, {
      statuses: query.status ?? JOB_STATUSES,
      datasetId: query.dataset ?? null,
      tag: query.tag ?? null,
      createdFrom: query.created_from ?? null,
      createdTo: query.created_to ?? null,
      limit: query.limit,
      cursor: query.cursor,
    });
    return { body: { jobs: page.items.map(presentListedJob), nextCursor: page.nextCursor } };
  };

  readonly get: RouteHandler<typeof getJobRoute> = async ({ params }, { principal }) => ({
    body: { job: presentJob(await this.reading.view(principal.userId, params.id)) },
  });

  readonly status: RouteHandler<typeof jobStatusRoute> = async ({ params }, { principal }) => ({
    body: presentJobStatus(await this.reading.status(principal.userId, params.id)),
  });

  readonly cancel: RouteHandler<typeof cancelJobRoute> = async ({ params }, { principal }) => {
    const job = await this.inference.cancel(principal.userId, params.id);
    const body = presentCancellation(job);
    return job.status === 'RUNNING' ? { status: 202, body } : { body };
  };

  readonly result: RouteHandler<typeof jobResultRoute> = async ({ params }, { principal }) => ({
    body: { results: presentResult(await this.reading.result(principal.userId, params.id)) },
  });

  readonly archive: RouteHandler<typeof jobArchiveRoute> = async ({ params }, { principal, request, response }) => {
    const archive = await this.reading.archive(principal.userId, params.id);
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
}
