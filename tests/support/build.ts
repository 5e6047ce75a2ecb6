import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { ApiClient } from './api-client.js';
import type { App } from './app.js';

/** 25 frames of 96 × 64. */
export const SMALL_VIDEO = fixture('media/h264.mp4');
export const SMALL_VIDEO_FRAMES = 25;
/** A textured scene: the real engine finds keypoints in it. */
export const TEXTURED_VIDEO = fixture('golden/dev-a-translate-xy/goal.mp4');

/** Absolute path of a file below tests/fixtures. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

export const PASSWORD = 'correct horse battery';

export interface TestUser {
  id: string;
  email: string;
  token: string;
  /** Speaks as this user. */
  api: ApiClient;
}

/** Registers and logs in over the API, then sets the balance by a ledger entry; default: what the sign-up gave. */
export async function buildUser(
  app: App,
  {
    credits,
    email = `${randomUUID()}@example.com`,
    password = PASSWORD,
  }: { credits?: number; email?: string; password?: string } = {},
): Promise<TestUser> {
  const anonymous = app.client();
  const { status, body } = await anonymous.post<{ user: { id: string; credit: number } }>('/api/auth/register', {
    email,
    password,
  });
  if (status !== 201) throw new Error(`Registration answered ${status}: ${JSON.stringify(body)}`);
  const { id, credit } = body.user;
  if (credits !== undefined && credits !== credit) await adjustCredits(app, id, credits - credit);
  const login = await anonymous.post<{ token: string }>('/api/auth/login', { email, password });
  return { id, email, token: login.body.token, api: app.client(login.body.token) };
}

/** A user with the role, as an administrator who gave it would have left it: the token needs no renewal. */
export async function buildAdmin(app: App): Promise<TestUser> {
  const user = await buildUser(app);
  await app.sql(`UPDATE users SET role = 'admin' WHERE id = $1`, [user.id]);
  return user;
}

function adjustCredits({ container }: App, userId: string, amount: number): Promise<number> {
  return container.infrastructure.uow.run(({ repositories }) =>
    repositories.credits.book({ userId, kind: 'adjustment', amount, reference: null, reason: 'Test', actorId: null }),
  );
}

export async function buildDataset(
  app: App,
  { user, name = randomUUID(), tags = [] }: { user?: TestUser; name?: string; tags?: string[] } = {},
): Promise<{ id: string; user: TestUser }> {
  const owner = user ?? (await buildUser(app));
  const { status, body } = await owner.api.post<{ dataset: { id: string } }>('/api/dataset', { name, tags });
  if (status !== 201) throw new Error(`The dataset was answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.dataset.id, user: owner };
}

export interface TestVideo {
  id: string;
  datasetId: string;
  user: TestUser;
}

export async function buildVideo(
  app: App,
  { user, datasetId, file = SMALL_VIDEO }: { user?: TestUser; datasetId?: string; file?: string } = {},
): Promise<TestVideo> {
  const owner = user ?? (await buildUser(app));
  const dataset = datasetId ?? (await buildDataset(app, { user: owner })).id;
  const { status, body } = await owner.api.upload<{ id: string }>(dataset, file);
  if (status !== 201) throw new Error(`The upload was answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.id, datasetId: dataset, user: owner };
}

/** Valid for {@link SMALL_VIDEO}. */
export const PARAMETERS = {
  startFrame: 0,
  endFrame: 4,
  frameStep: 1,
  goalFrameId: 0,
  detector: 'ORB',
  useGpus: false,
  visualize: 'none',
};

export interface TestJob {
  id: string;
  user: TestUser;
  datasetId: string;
}

/** One submitted job: in a dataset with one video, paired with itself. */
export async function buildJob(
  app: App,
  { video, parameters = {} }: { video?: TestVideo; parameters?: Record<string, unknown> } = {},
): Promise<TestJob> {
  const { datasetId, user } = video ?? (await buildVideo(app));
  const { status, body } = await user.api.post<{ jobId: string[] }>('/api/inference', {
    datasetId,
    range: 'all',
    parameters: { ...PARAMETERS, ...parameters },
  });
  if (status !== 202) throw new Error(`The submission was answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.jobId[0], user, datasetId };
}
