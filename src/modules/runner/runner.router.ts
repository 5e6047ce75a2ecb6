import {
  availableRunnersRoute,
  createRunnerRoute,
  deleteRunnerRoute,
  drainRunnerRoute,
  getRunnerRoute,
  listRunnerEventsRoute,
  listRunnersRoute,
  resumeRunnerRoute,
  testRunnerRoute,
  updateRunnerRoute,
} from '../../contract/runner.contract.js';
import { route, type Route } from '../../http/route-table.js';
import type { RunnerController } from './runner.controller.js';

export const runnerRoutes = (controller: RunnerController): Route[] => [
  route(listRunnersRoute, controller.list),
  route(createRunnerRoute, controller.create),
  route(getRunnerRoute, controller.get),
  route(updateRunnerRoute, controller.update),
  route(deleteRunnerRoute, controller.delete),
  route(testRunnerRoute, controller.test),
  route(drainRunnerRoute, controller.drain),
  route(resumeRunnerRoute, controller.resume),
  route(listRunnerEventsRoute, controller.events),
  route(availableRunnersRoute, controller.available),
];
