import {
  cancelJobRoute,
  deleteResultRoute,
  jobArchiveRoute,
  jobResultRoute,
  jobStatusRoute,
  submitInferenceRoute,
} from '../../contract/inference.contract.js';
import {
  getJobRoute,
  jobTrajectoryRoute,
  jobVelocityRoute,
  listJobsRoute,
  retryJobRoute,
} from '../../contract/job.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { InferenceController } from './inference.controller.js';

export const inferenceRoutes = (controller: InferenceController): Route[] => [
  route(submitInferenceRoute, controller.submit),
  route(listJobsRoute, controller.list),
  route(getJobRoute, controller.get),
  route(jobStatusRoute, controller.status),
  route(cancelJobRoute, controller.cancel),
  route(retryJobRoute, controller.retry),
  route(jobVelocityRoute, controller.velocity),
  route(jobTrajectoryRoute, controller.trajectory),
  route(jobResultRoute, controller.result),
  route(jobArchiveRoute, controller.archive),
  route(deleteResultRoute, controller.deleteResult),
];
