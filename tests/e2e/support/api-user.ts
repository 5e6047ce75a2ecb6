import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openAsBlob } from 'node:fs';
import type { z } from 'zod';
import type { creditsRoute, loginRoute } from '../../../src/contract/account.contract.js';
import type { createDatasetRoute, getDatasetRoute, uploadVideoRoute } from '../../../src/contract/dataset.contract.js';
import type {
  InferenceResult,
  JobStatus,
  jobResultRoute,
  jobStatusRoute,
  submitInferenceRoute,
} from '../../../src/contract/inference.contract.js';
import type { RouteDescriptor } from '../../../src/contract/route.contract.js';
import { until } from '../../support/wait.js';

type Answer<D extends RouteDescriptor> = D['success']['answer'] extends { schema: infer S extends z.ZodType }
  ? z.output<S>
  : never;
export type JobParameters = z.input<typeof submitInferenceRoute.request.body>['parameters'];

const FINAL: readonly JobStatus[] = ['COMPLETED', 'FAILED', 'ABORTED'];
const PASSWORD = 'a long enough password';

/** A person who uses the API of a server over HTTP. */
export class ApiUser {
  private constructor(
    /** May be set anew: after a restart the server listens elsewhere. */
    public baseUrl: string,
    readonly email: string,
    public token: string,
  ) {}

  static async register(baseUrl: string): Promise<ApiUser> {
    const user = new ApiUser(baseUrl, `${randomUUID()}@example.com`, '');
    await user.send('POST', '/auth/register', { email: user.email, password: PASSWORD });
    await user.logIn();
    return user;
  }

  async logIn(): Promise<void> {
    const answer = await this.send<typeof loginRoute>('POST', '/auth/login', {
      email: this.email,
      password: PASSWORD,
    });
    this.token = answer.token;
  }

  async credits(): Promise<number> {
    return (await this.send<typeof creditsRoute>('GET', '/user/credits')).credits;
  }

  async createDataset(name = 'scene'): Promise<string> {
    return (await this.send<typeof createDatasetRoute>('POST', '/dataset', { name })).dataset.id;
  }

  async videosOf(datasetId: string): Promise<Answer<typeof getDatasetRoute>['dataset']['videos']> {
    return (await this.send<typeof getDatasetRoute>('GET', `/dataset/${datasetId}`)).dataset.videos;
  }

  async upload(datasetId: string, file: string): Promise<Answer<typeof uploadVideoRoute>> {
    const form = new FormData();
    form.set('name', 'a video');
    form.set('content', await openAsBlob(file), 'video.mp4');
    return this.send<typeof uploadVideoRoute>('POST', `/dataset/${datasetId}/videos`, form);
  }

  /**
   * Uploads what `content` yields, piece by piece, as the server takes it.
   * @param bytes how much it yields in all, or would if it did not break off
   * @throws what `content` throws, after the connection was cut; an error when the server cuts it
   */
  async uploadStream(
    datasetId: string,
    content: AsyncIterable<Buffer>,
    bytes: number,
  ): Promise<{ status: number; body: string }> {
    const boundary = `e2e-${randomUUID()}`;
    const head = Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\na video\r\n` +
        `--${boundary}\r\nContent-Disposition: form-data; name="content"; filename="video.mp4"\r\n` +
        'Content-Type: video/mp4\r\n\r\n',
    );
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    const outgoing = request(`${this.baseUrl}/api/dataset/${datasetId}/videos`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${this.token}`,
        'Content-Type': `multipart/form-data; boundary=${boundary}`,
        'Content-Length': head.length + bytes + tail.length,
      },
    });
    const answer = new Promise<{ status: number; body: string }>((resolve, reject) => {
      outgoing.once('error', reject);
      outgoing.once('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.once('error', reject);
      });
    });
    async function* form() {
      yield head;
      yield* content;
      yield tail;
    }
    const [answered] = await Promise.all([answer, pipeline(Readable.from(form()), outgoing)]);
    return answered;
  }

  /** @param range positions of the videos to pair; all by default */
  async submit(datasetId: string, parameters: JobParameters, range = 'all'): Promise<string[]> {
    const body = { datasetId, parameters, range };
    return (await this.send<typeof submitInferenceRoute>('POST', '/inference', body)).jobId;
  }

  status(jobId: string): Promise<Answer<typeof jobStatusRoute>> {
    return this.send<typeof jobStatusRoute>('GET', `/inference/status/${jobId}`);
  }

  /** Waits until a job runs and has got through a frame. */
  async untilUnderWay(jobId: string): Promise<void> {
    await until(
      async () => {
        const { status, progress, errorMessage } = await this.status(jobId);
        if (FINAL.includes(status)) throw new Error(`The job is ${status} already: ${errorMessage ?? ''}`);
        return status === 'RUNNING' && progress !== null && progress.processed > 0;
      },
      { deadline: 60_000, what: `job ${jobId} is under way` },
    );
  }

  /** Waits for the result. @throws Error when the job ends without one */
  async result(jobId: string, deadline = 120_000): Promise<InferenceResult> {
    await until(
      async () => {
        const { status, errorMessage } = await this.status(jobId);
        if (status === 'FAILED' || status === 'ABORTED') throw new Error(`The job is ${status}: ${errorMessage ?? ''}`);
        return status === 'COMPLETED';
      },
      { deadline, what: `job ${jobId} is COMPLETED` },
    );
    return (await this.send<typeof jobResultRoute>('GET', `/inference/result/json/${jobId}`)).results;
  }

  async archive(jobId: string): Promise<Buffer> {
    const response = await this.fetch('GET', `/inference/result/zip/${jobId}`);
    return Buffer.from(await response.arrayBuffer());
  }

  private async send<D extends RouteDescriptor = RouteDescriptor>(
    method: string,
    route: string,
    body?: object,
  ): Promise<Answer<D>> {
    const response = await this.fetch(method, route, body);
    return (await response.json()) as Answer<D>;
  }

  private async fetch(method: string, route: string, body?: object): Promise<Response> {
    const isForm = body instanceof FormData;
    const response = await fetch(`${this.baseUrl}/api${route}`, {
      method,
      headers: {
        ...(this.token === '' ? {} : { Authorization: `Bearer ${this.token}` }),
        ...(body === undefined || isForm ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`);
    return response;
  }
}
