import { pipeline } from 'node:stream/promises';
import type {
  cancelJobRoute,
  jobArchiveRoute,
  jobResultRoute,
  jobStatusRoute,
  submitInferenceRoute,
} from '../../contract/inference.contract.js';
import { ANSWERED, type RouteHandler } from '../../http/route-table.js';
import { presentCancellation, presentJobStatus, presentResult } from './inference.presenter.js';
import type { InferenceService } from './inference.service.js';

export class InferenceController {
  constructor(private readonly inference: InferenceService) {}

  readonly submit: RouteHandler<typeof submitInferenceRoute> = async ({ body }, { principal }) => {
    const jobs = await this.inference.submit({ ...body, userId: principal.userId });
    return {
      body: { jobId: jobs.map((job) => job.id) },
      headers: { Location: `/api/inference/status/${jobs[0].id}` },
    };
  };

  readonly status: RouteHandler<typeof jobStatusRoute> = async ({ params }, { principal }) => ({
    body: presentJobStatus(await this.inference.status(principal.userId, params.id)),
  });

  readonly cancel: RouteHandler<typeof cancelJobRoute> = async ({ params }, { principal }) => {
    const job = await this.inference.cancel(principal.userId, params.id);
    const body = presentCancellation(job);
    return job.status === 'RUNNING' ? { status: 202, body } : { body };
  };

  readonly result: RouteHandler<typeof jobResultRoute> = async ({ params }, { principal }) => ({
    body: { results: presentResult(await this.inference.result(principal.userId, params.id)) },
  });

  readonly archive: RouteHandler<typeof jobArchiveRoute> = async ({ params }, { principal, request, response }) => {
    const archive = await this.inference.archive(principal.userId, params.id);
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
