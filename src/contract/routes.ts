import { listUsersRoute, updateUserRoute } from './account-admin.contract.js';
import { creditsRoute, loginRoute, profileRoute, registerRoute } from './account.contract.js';
import { createApiKeyRoute, deleteApiKeyRoute, listApiKeysRoute } from './api-key.contract.js';
import { listAuditRoute } from './audit.contract.js';
import { adjustRoute, listCreditEntriesRoute, quoteRoute, rechargeRoute, refundRoute } from './credit.contract.js';
import {
  createDatasetRoute,
  deleteDatasetRoute,
  getDatasetRoute,
  listDatasetsRoute,
  updateDatasetRoute,
  uploadVideoRoute,
} from './dataset.contract.js';
import { eventsRoute, jobEventsRoute, websocketStatsRoute, websocketTestRoute } from './events.contract.js';
import {
  cancelJobRoute,
  deleteResultRoute,
  jobArchiveRoute,
  jobResultRoute,
  jobStatusRoute,
  submitInferenceRoute,
} from './inference.contract.js';
import { getJobRoute, jobTrajectoryRoute, jobVelocityRoute, listJobsRoute, retryJobRoute } from './job.contract.js';
import type { RouteDescriptor } from './route.contract.js';
import {
  changePasswordRoute,
  endSessionRoute,
  listSessionsRoute,
  logoutRoute,
  refreshRoute,
} from './session.contract.js';
import {
  deleteVideoRoute,
  getVideoRoute,
  listVideosRoute,
  updateVideoRoute,
  videoContentRoute,
  videoThumbnailRoute,
} from './video.contract.js';
import {
  createWebhookRoute,
  deleteWebhookRoute,
  getWebhookRoute,
  listWebhookDeliveriesRoute,
  listWebhooksRoute,
  replayWebhookDeliveryRoute,
  rotateWebhookSecretRoute,
  testWebhookRoute,
  updateWebhookRoute,
} from './webhook.contract.js';
import { docsRoute, healthRoute, keySetRoute, openapiRoute } from './service.contract.js';
import {
  appendUploadRoute,
  createUploadRoute,
  deleteUploadRoute,
  finishUploadRoute,
  getUploadOffsetRoute,
  getUploadRoute,
} from './upload.contract.js';

/** Every route of the API. The docs are made from this list, and a test compares it with what the server really serves. */
export const ROUTES: readonly RouteDescriptor[] = [
  registerRoute,
  loginRoute,
  refreshRoute,
  logoutRoute,
  changePasswordRoute,
  listSessionsRoute,
  endSessionRoute,
  createApiKeyRoute,
  listApiKeysRoute,
  deleteApiKeyRoute,
  profileRoute,
  creditsRoute,
  listCreditEntriesRoute,
  quoteRoute,
  createDatasetRoute,
  listDatasetsRoute,
  getDatasetRoute,
  updateDatasetRoute,
  deleteDatasetRoute,
  uploadVideoRoute,
  listVideosRoute,
  getVideoRoute,
  updateVideoRoute,
  deleteVideoRoute,
  videoContentRoute,
  videoThumbnailRoute,
  createUploadRoute,
  getUploadOffsetRoute,
  getUploadRoute,
  appendUploadRoute,
  finishUploadRoute,
  deleteUploadRoute,
  submitInferenceRoute,
  listJobsRoute,
  getJobRoute,
  jobStatusRoute,
  cancelJobRoute,
  retryJobRoute,
  jobVelocityRoute,
  jobTrajectoryRoute,
  jobResultRoute,
  jobArchiveRoute,
  deleteResultRoute,
  rechargeRoute,
  adjustRoute,
  refundRoute,
  listUsersRoute,
  updateUserRoute,
  listAuditRoute,
  eventsRoute,
  jobEventsRoute,
  websocketStatsRoute,
  websocketTestRoute,
  createWebhookRoute,
  listWebhooksRoute,
  getWebhookRoute,
  updateWebhookRoute,
  deleteWebhookRoute,
  rotateWebhookSecretRoute,
  testWebhookRoute,
  listWebhookDeliveriesRoute,
  replayWebhookDeliveryRoute,
  healthRoute,
  keySetRoute,
  openapiRoute,
  docsRoute,
];
