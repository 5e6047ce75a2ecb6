import {
  adjustRoute,
  listCreditEntriesRoute,
  quoteRoute,
  rechargeRoute,
  refundRoute,
} from '../contract/credit.contract.js';
import { listUsersRoute, updateUserRoute } from '../contract/account-admin.contract.js';
import { creditsRoute, loginRoute, profileRoute, registerRoute } from '../contract/account.contract.js';
import { listAuditRoute } from '../contract/audit.contract.js';
import { createApiKeyRoute, deleteApiKeyRoute, listApiKeysRoute } from '../contract/api-key.contract.js';
import {
  createDatasetRoute,
  deleteDatasetRoute,
  getDatasetRoute,
  listDatasetsRoute,
  updateDatasetRoute,
  uploadVideoRoute,
} from '../contract/dataset.contract.js';
import { eventsRoute, jobEventsRoute, websocketStatsRoute, websocketTestRoute } from '../contract/events.contract.js';
import {
  cancelJobRoute,
  deleteResultRoute,
  jobArchiveRoute,
  jobResultRoute,
  jobStatusRoute,
  submitInferenceRoute,
} from '../contract/inference.contract.js';
import {
  createModelRoute,
  deleteModelRoute,
  getManagedModelRoute,
  getModelRoute,
  listManagedModelsRoute,
  listModelsRoute,
  updateModelRoute,
} from '../contract/model.contract.js';
import {
  changePasswordRoute,
  endSessionRoute,
  listSessionsRoute,
  logoutRoute,
  refreshRoute,
} from '../contract/session.contract.js';
import {
  getJobRoute,
  jobTrajectoryRoute,
  jobVelocityRoute,
  listJobsRoute,
  retryJobRoute,
} from '../contract/job.contract.js';
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
} from '../contract/runner.contract.js';
import { docsRoute, healthRoute, keySetRoute, openapiRoute } from '../contract/service.contract.js';
import { jobReceiptRoute } from '../contract/receipt.contract.js';
import { getUsageRoute, listUsageRoute } from '../contract/usage.contract.js';
import {
  deleteVideoRoute,
  getVideoRoute,
  listVideosRoute,
  updateVideoRoute,
  videoContentRoute,
  videoThumbnailRoute,
} from '../contract/video.contract.js';
import { deleteUploadRoute, finishUploadRoute, getUploadRoute, TUS_VERSION } from '../contract/upload.contract.js';
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
} from '../contract/webhook.contract.js';
import { call, callForText, openAnswer, upload, type CallOptions, type Connection } from './call.js';
import { followEvents, type FollowOptions } from './follow-events.js';
import { uploadResumable, type ResumableOptions } from './resumable-upload.js';
import { saveAnswer, type SaveOptions, type SavedFile } from './save-answer.js';
import type { UploadFile } from './multipart.js';
import type { BodyOf, FieldsOf, QueryOf } from './route-types.js';

export { verifyWebhook, WebhookVerificationError } from './verify-webhook.js';

export interface ClientOptions {
  /** Scheme, host and port, as `http://localhost:3000`; a path is kept in front of `/api`. */
  baseUrl: string;
  /** The `token` that `login` gave, or an API key; routes that need none work without. */
  token?: string;
}

export interface UploadOptions extends CallOptions {
  /** Bytes of the file that are on their way, and its size. */
  onProgress?(sentBytes: number, totalBytes: number): void;
}

export interface ChangeOptions extends CallOptions {
  /** `version` of the state that the change is meant for; any other is refused as `precondition-failed`. */
  ifVersion?: number;
}

const ifMatch = ({ ifVersion }: ChangeOptions) => ({
  'If-Match': ifVersion === undefined ? undefined : `"${ifVersion}"`,
});

export function createClient(options: ClientOptions): Client {
  return new Client({ baseUrl: options.baseUrl, ...(options.token === undefined ? {} : { token: options.token }) });
}

/**
 * The API, one method per route under its operation id. Types come from the route descriptors, and every answer is
 * checked against its own.
 *
 * @throws ApiError from every method when the server refuses; UnexpectedAnswerError when an answer breaks the contract;
 *   the socket's error when there is no answer; the signal's reason when it fires
 */
export class Client {
  constructor(private readonly connection: Connection) {}

  /** The same server with a user. */
  withToken(token: string): Client {
    return new Client({ ...this.connection, token });
  }

  register(body: BodyOf<typeof registerRoute>, options?: CallOptions) {
    return call(this.connection, registerRoute, { body }, options);
  }

  login(body: BodyOf<typeof loginRoute>, options?: CallOptions) {
    return call(this.connection, loginRoute, { body }, options);
  }

  refreshToken(body: BodyOf<typeof refreshRoute>, options?: CallOptions) {
    return call(this.connection, refreshRoute, { body }, options);
  }

  logout(body: BodyOf<typeof logoutRoute> = {}, options?: CallOptions) {
    return call(this.connection, logoutRoute, { body }, options);
  }

  changePassword(body: BodyOf<typeof changePasswordRoute>, options?: CallOptions) {
    return call(this.connection, changePasswordRoute, { body }, options);
  }

  listSessions(query: QueryOf<typeof listSessionsRoute> = {}, options?: CallOptions) {
    return call(this.connection, listSessionsRoute, { query }, options);
  }

  endSession(id: string, options?: CallOptions) {
    return call(this.connection, endSessionRoute, { params: { id } }, options);
  }

  createApiKey(body: BodyOf<typeof createApiKeyRoute>, options?: CallOptions) {
    return call(this.connection, createApiKeyRoute, { body }, options);
  }

  listApiKeys(query: QueryOf<typeof listApiKeysRoute> = {}, options?: CallOptions) {
    return call(this.connection, listApiKeysRoute, { query }, options);
  }

  deleteApiKey(id: string, options?: CallOptions) {
    return call(this.connection, deleteApiKeyRoute, { params: { id } }, options);
  }

  getProfile(options?: CallOptions) {
    return call(this.connection, profileRoute, {}, options);
  }

  listUsers(query: QueryOf<typeof listUsersRoute> = {}, options?: CallOptions) {
    return call(this.connection, listUsersRoute, { query }, options);
  }

  updateUser(id: string, body: BodyOf<typeof updateUserRoute>, options?: CallOptions) {
    return call(this.connection, updateUserRoute, { params: { id }, body }, options);
  }

  getCredits(options?: CallOptions) {
    return call(this.connection, creditsRoute, {}, options);
  }

  /** Newest first. */
  listCreditEntries(query: QueryOf<typeof listCreditEntriesRoute> = {}, options?: CallOptions) {
    return call(this.connection, listCreditEntriesRoute, { query }, options);
  }

  /** Charges nothing. */
  quote(body: BodyOf<typeof quoteRoute>, options?: CallOptions) {
    return call(this.connection, quoteRoute, { body }, options);
  }

  /** Administrators only, as `adjustCredits` and `refund`. */
  recharge(body: BodyOf<typeof rechargeRoute>, options?: CallOptions) {
    return call(this.connection, rechargeRoute, { body }, options);
  }

  adjustCredits(body: BodyOf<typeof adjustRoute>, options?: CallOptions) {
    return call(this.connection, adjustRoute, { body }, options);
  }

  refund(body: BodyOf<typeof refundRoute>, options?: CallOptions) {
    return call(this.connection, refundRoute, { body }, options);
  }

  createDataset(body: BodyOf<typeof createDatasetRoute>, options?: CallOptions) {
    return call(this.connection, createDatasetRoute, { body }, options);
  }

  /** Tags in the query and tags in the body mean the same; the query travels through more proxies. */
  listDatasets(
    filter: { query?: QueryOf<typeof listDatasetsRoute>; body?: BodyOf<typeof listDatasetsRoute> } = {},
    options?: CallOptions,
  ) {
    return call(this.connection, listDatasetsRoute, filter, options);
  }

  getDataset(id: string, options?: CallOptions) {
    return call(this.connection, getDatasetRoute, { params: { id } }, options);
  }

  updateDataset(id: string, body: BodyOf<typeof updateDatasetRoute>, options: ChangeOptions = {}) {
    return call(this.connection, updateDatasetRoute, { params: { id }, headers: ifMatch(options), body }, options);
  }

  deleteDataset(id: string, options: ChangeOptions = {}) {
    return call(this.connection, deleteDatasetRoute, { params: { id }, headers: ifMatch(options) }, options);
  }

  /** Streams the file from the disk: its size does not matter to memory. */
  uploadVideo(
    datasetId: string,
    { file, ...fields }: FieldsOf<typeof uploadVideoRoute> & { file: UploadFile },
    options?: UploadOptions,
  ) {
    return upload(this.connection, uploadVideoRoute, { params: { id: datasetId }, fields, file }, options);
  }

  listVideos(datasetId: string, query: QueryOf<typeof listVideosRoute> = {}, options?: CallOptions) {
    return call(this.connection, listVideosRoute, { params: { id: datasetId }, query }, options);
  }

  getVideo(datasetId: string, videoId: string, options?: CallOptions) {
    return call(this.connection, getVideoRoute, { params: { id: datasetId, videoId } }, options);
  }

  updateVideo(datasetId: string, videoId: string, body: BodyOf<typeof updateVideoRoute>, options?: CallOptions) {
    return call(this.connection, updateVideoRoute, { params: { id: datasetId, videoId }, body }, options);
  }

  deleteVideo(datasetId: string, videoId: string, options?: CallOptions) {
    return call(this.connection, deleteVideoRoute, { params: { id: datasetId, videoId } }, options);
  }

  /** Streams the file to `path`, which appears complete or not at all. */
  async getVideoContent(
    datasetId: string,
    videoId: string,
    path: string,
    options: SaveOptions = {},
  ): Promise<SavedFile> {
    const params = { id: datasetId, videoId };
    return saveAnswer(await openAnswer(this.connection, videoContentRoute, { params }, options), path, options);
  }

  /** Saves the JPEG to `path`. */
  async getVideoThumbnail(
    datasetId: string,
    videoId: string,
    path: string,
    options: SaveOptions = {},
  ): Promise<SavedFile> {
    const params = { id: datasetId, videoId };
    return saveAnswer(await openAnswer(this.connection, videoThumbnailRoute, { params }, options), path, options);
  }

  /**
   * Sends the file in as many requests as it takes: after a broken connection it goes on where it was, and a later call
   * can go on with what an earlier one began. Resolves when the videos are there and paid.
   */
  uploadResumable(
    datasetId: string,
    { file, name, type }: FieldsOf<typeof uploadVideoRoute> & { file: UploadFile },
    options: ResumableOptions = {},
  ) {
    return uploadResumable(this.connection, { datasetId, name, type, file }, options);
  }

  getUpload(id: string, options?: CallOptions) {
    return call(this.connection, getUploadRoute, { params: { id } }, options);
  }

  finishUpload(id: string, options?: CallOptions) {
    return call(this.connection, finishUploadRoute, { params: { id } }, options);
  }

  /** Gives up an upload that is not done. */
  async deleteUpload(id: string, options: CallOptions = {}): Promise<void> {
    const headers = { 'Tus-Resumable': TUS_VERSION };
    (await openAnswer(this.connection, deleteUploadRoute, { params: { id }, headers }, options)).resume();
  }

  /** By name; of each the newest version that is active. */
  listModels(query: QueryOf<typeof listModelsRoute> = {}, options?: CallOptions) {
    return call(this.connection, listModelsRoute, { query }, options);
  }

  /** @param name stands for the newest active version; `name@version` for that one */
  getModel(name: string, options?: CallOptions) {
    return call(this.connection, getModelRoute, { params: { name } }, options);
  }

  submitInference(body: BodyOf<typeof submitInferenceRoute>, options?: CallOptions) {
    return call(this.connection, submitInferenceRoute, { body }, options);
  }

  /** Newest first. */
  listJobs(query: QueryOf<typeof listJobsRoute> = {}, options?: CallOptions) {
    return call(this.connection, listJobsRoute, { query }, options);
  }

  getJob(id: string, options?: CallOptions) {
    return call(this.connection, getJobRoute, { params: { id } }, options);
  }

  getJobStatus(id: string, options?: CallOptions) {
    return call(this.connection, jobStatusRoute, { params: { id } }, options);
  }

  /** Velocities from a row on, also while the job runs. */
  getJobVelocity(id: string, query: QueryOf<typeof jobVelocityRoute> = {}, options?: CallOptions) {
    return call(this.connection, jobVelocityRoute, { params: { id }, query }, options);
  }

  /** The path of a camera that follows the velocities of a job that has a result. */
  getJobTrajectory(id: string, query: QueryOf<typeof jobTrajectoryRoute> = {}, options?: CallOptions) {
    return call(this.connection, jobTrajectoryRoute, { params: { id }, query }, options);
  }

  /** A new job like one that has ended; paid like any other. It goes on where that one stopped, as far as that is kept. */
  retryJob(id: string, options?: CallOptions) {
    return call(this.connection, retryJobRoute, { params: { id } }, options);
  }

  /** The answer tells whether the job has stopped (`ABORTED`) or will (`RUNNING`). */
  cancelJob(id: string, options?: CallOptions) {
    return call(this.connection, cancelJobRoute, { params: { id } }, options);
  }

  getJobResult(id: string, options?: CallOptions) {
    return call(this.connection, jobResultRoute, { params: { id } }, options);
  }

  /** The job stays; its numbers and its ZIP file are gone for good. */
  deleteJobResult(id: string, options?: CallOptions) {
    return call(this.connection, deleteResultRoute, { params: { id } }, options);
  }

  /** Streams the ZIP to `path`, which appears complete or not at all. */
  async getJobArchive(id: string, path: string, options: SaveOptions = {}): Promise<SavedFile> {
    const answer = await openAnswer(this.connection, jobArchiveRoute, { params: { id } }, options);
    return saveAnswer(answer, path, options);
  }

  /** All versions, newest first. Administrators only, as the four below. */
  listManagedModels(query: QueryOf<typeof listManagedModelsRoute> = {}, options?: CallOptions) {
    return call(this.connection, listManagedModelsRoute, { query }, options);
  }

  createModel(body: BodyOf<typeof createModelRoute>, options?: CallOptions) {
    return call(this.connection, createModelRoute, { body }, options);
  }

  getManagedModel(id: string, options?: CallOptions) {
    return call(this.connection, getManagedModelRoute, { params: { id } }, options);
  }

  updateModel(id: string, body: BodyOf<typeof updateModelRoute>, options?: CallOptions) {
    return call(this.connection, updateModelRoute, { params: { id }, body }, options);
  }

  /** One that jobs refer to is disabled instead. */
  deleteModel(id: string, options?: CallOptions) {
    return call(this.connection, deleteModelRoute, { params: { id } }, options);
  }

  /** Newest first. Administrators only. */
  listAudit(query: QueryOf<typeof listAuditRoute> = {}, options?: CallOptions) {
    return call(this.connection, listAuditRoute, { query }, options);
  }

  /** A page of the event log; ask again with its `nextAfter`. */
  getEvents(query: QueryOf<typeof eventsRoute> = {}, options?: CallOptions) {
    return call(this.connection, eventsRoute, { query }, options);
  }

  getJobEvents(id: string, query: QueryOf<typeof jobEventsRoute> = {}, options?: CallOptions) {
    return call(this.connection, jobEventsRoute, { params: { id }, query }, options);
  }

  getWebSocketStats(options?: CallOptions) {
    return call(this.connection, websocketStatsRoute, {}, options);
  }

  sendTestNotification(body: BodyOf<typeof websocketTestRoute>, options?: CallOptions) {
    return call(this.connection, websocketTestRoute, { body }, options);
  }

  createWebhook(body: BodyOf<typeof createWebhookRoute>, options?: CallOptions) {
    return call(this.connection, createWebhookRoute, { body }, options);
  }

  listWebhooks(query: QueryOf<typeof listWebhooksRoute> = {}, options?: CallOptions) {
    return call(this.connection, listWebhooksRoute, { query }, options);
  }

  getWebhook(id: string, options?: CallOptions) {
    return call(this.connection, getWebhookRoute, { params: { id } }, options);
  }

  updateWebhook(id: string, body: BodyOf<typeof updateWebhookRoute>, options?: CallOptions) {
    return call(this.connection, updateWebhookRoute, { params: { id }, body }, options);
  }

  deleteWebhook(id: string, options?: CallOptions) {
    return call(this.connection, deleteWebhookRoute, { params: { id } }, options);
  }

  rotateWebhookSecret(id: string, options?: CallOptions) {
    return call(this.connection, rotateWebhookSecretRoute, { params: { id } }, options);
  }

  testWebhook(id: string, options?: CallOptions) {
    return call(this.connection, testWebhookRoute, { params: { id } }, options);
  }

  listWebhookDeliveries(id: string, query: QueryOf<typeof listWebhookDeliveriesRoute> = {}, options?: CallOptions) {
    return call(this.connection, listWebhookDeliveriesRoute, { params: { id }, query }, options);
  }

  replayWebhookDelivery(id: string, deliveryId: string, options?: CallOptions) {
    return call(this.connection, replayWebhookDeliveryRoute, { params: { id, deliveryId } }, options);
  }

  getJobReceipt(id: string, options?: CallOptions) {
    return call(this.connection, jobReceiptRoute, { params: { id } }, options);
  }

  getUsage(query: QueryOf<typeof getUsageRoute> = {}, options?: CallOptions) {
    return call(this.connection, getUsageRoute, { query }, options);
  }

  listUsage(query: QueryOf<typeof listUsageRoute> = {}, options?: CallOptions) {
    return call(this.connection, listUsageRoute, { query }, options);
  }

  /** Runners in service, and how they are. */
  availableRunners(options?: CallOptions) {
    return call(this.connection, availableRunnersRoute, {}, options);
  }

  /** Administrators only, as all that follow about runners. */
  listRunners(query: QueryOf<typeof listRunnersRoute> = {}, options?: CallOptions) {
    return call(this.connection, listRunnersRoute, { query }, options);
  }

  createRunner(body: BodyOf<typeof createRunnerRoute>, options?: CallOptions) {
    return call(this.connection, createRunnerRoute, { body }, options);
  }

  getRunner(id: string, options?: CallOptions) {
    return call(this.connection, getRunnerRoute, { params: { id } }, options);
  }

  updateRunner(id: string, body: BodyOf<typeof updateRunnerRoute>, options?: CallOptions) {
    return call(this.connection, updateRunnerRoute, { params: { id }, body }, options);
  }

  /** Refused while jobs run on it: drain it first. */
  deleteRunner(id: string, options?: CallOptions) {
    return call(this.connection, deleteRunnerRoute, { params: { id } }, options);
  }

  /** Asks it now how it is. */
  testRunner(id: string, options?: CallOptions) {
    return call(this.connection, testRunnerRoute, { params: { id } }, options);
  }

  drainRunner(id: string, options?: CallOptions) {
    return call(this.connection, drainRunnerRoute, { params: { id } }, options);
  }

  resumeRunner(id: string, options?: CallOptions) {
    return call(this.connection, resumeRunnerRoute, { params: { id } }, options);
  }

  /** What became of it, newest first. */
  listRunnerEvents(id: string, query: QueryOf<typeof listRunnerEventsRoute> = {}, options?: CallOptions) {
    return call(this.connection, listRunnerEventsRoute, { params: { id }, query }, options);
  }

  getHealth(options?: CallOptions) {
    return call(this.connection, healthRoute, {}, options);
  }

  getKeySet(options?: CallOptions) {
    return call(this.connection, keySetRoute, {}, options);
  }

  getOpenApi(options?: CallOptions) {
    return call(this.connection, openapiRoute, {}, options);
  }

  /** The page of Swagger UI, as HTML. */
  getDocs(options?: CallOptions): Promise<string> {
    return callForText(this.connection, docsRoute, {}, options);
  }

  /** Follows the user's event log until the signal fires; see {@link followEvents}. */
  followEvents({
    token = this.connection.token,
    ...options
  }: Omit<FollowOptions, 'baseUrl' | 'token'> & { token?: string }) {
    if (token === undefined) throw new TypeError('Events belong to a user: give a token.');
    return followEvents({ ...options, token, baseUrl: this.connection.baseUrl });
  }
}
