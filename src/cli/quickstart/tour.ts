import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { InferenceResult } from '../../contract/inference.contract.js';
import type { Client } from '../../sdk/client.js';
import type { JobNotification } from '../../contract/events.contract.js';
import { followJob } from './follow-job.js';
import { readArchive } from './result-archive.js';
import type { Sample } from '../../runners/servo-sample.js';
import { formatBytes, type Terminal } from '../terminal.js';

export interface TourOptions {
  client: Client;
  sample: Sample;
  /** Folder for what comes out; exists. */
  folder: string;
  terminal: Terminal;
  signal: AbortSignal;
}

export interface Account {
  email: string;
  password: string;
}

export interface TourOutcome {
  account: Account;
  credits: { before: number; goal: number; current: number; after: number };
  expectedRows: number;
  events: JobNotification[];
  result: InferenceResult;
  archive: { path: string; bytes: number; names: string[] };
  resultPath: string;
  plotPath: string;
}

/** Every second frame: a fine curve in half the time. */
const FRAME_STEP = 2;

/** From a new account to a ZIP on the disk, all of it through the public API. */
export async function takeTour({ client, sample, folder, terminal, signal }: TourOptions): Promise<TourOutcome> {
  const { account, user, before } = await openAccount(client, terminal, signal);

  const dataset = await terminal.step('Dataset', async () => {
    const { dataset } = await user.createDataset({ name: 'Quickstart', tags: ['sample'] }, { signal });
    return { value: dataset, detail: `“${dataset.name}”` };
  });
  const uploadSample = (label: string, name: string, file: string) =>
    terminal.step(label, async (progress) => {
      const { video, costDeducted } = await user.uploadVideo(
        dataset.id,
        { name, file: { path: file } },
        {
          signal,
          onProgress: (sent, total) => progress.update(sent, total, `${formatBytes(sent)} of ${formatBytes(total)}`),
        },
      );
      const detail = `${video.frame_count} frames, ${video.width} × ${video.height}, ${video.codec}; ${countCredits(costDeducted)}`;
      return { value: costDeducted, detail };
    });
  const goal = await uploadSample('Goal video', 'Goal', sample.goalPath);
  const current = await uploadSample('Current video', 'Current', sample.currentPath);

  const jobId = await terminal.step('Submit', async () => {
    const { jobId: ids } = await user.submitInference(inferenceOf(dataset.id, sample), { signal });
    if (ids.length !== 1) throw new Error(`Two videos give one job, not ${ids.length}.`);
    return { value: ids[0], detail: `job ${ids[0]}` };
  });
  const events = await terminal.step('Inference', async (progress) => {
    const onProgress = (done: number, total: number): void =>
      progress.update(done, total, `${done} of ${total} frames`);
    const value = await followJob(jobId, { client: user, signal, onProgress });
    return { value, detail: `${value.length} live events over WebSocket` };
  });

  const resultPath = path.join(folder, 'result.json');
  const result = await terminal.step('Result', async () => {
    const { results } = await user.getJobResult(jobId, { signal });
    await writeFile(resultPath, `${JSON.stringify(results, null, 2)}\n`);
    return { value: results, detail: `${results.velocity.length} velocities` };
  });
  const plotPath = path.join(folder, 'velocity.svg');
  const archive = await terminal.step('ZIP', async (progress) => {
    const saved = await user.getJobArchive(jobId, path.join(folder, 'result.zip'), {
      signal,
      onProgress: (bytes, total) => progress.update(bytes, total ?? bytes, formatBytes(bytes)),
    });
    const { names, wanted } = await readArchive(saved.path, 'velocity.svg');
    await writeFile(plotPath, wanted);
    return {
      value: { ...saved, names },
      detail: `${names.length} entries, ${formatBytes(saved.bytes)}, checksums right`,
    };
  });
  const { credits: after } = await user.getCredits({ signal });

  return {
    account,
    credits: { before, goal, current, after },
    expectedRows: Math.ceil(sample.currentFrames / FRAME_STEP),
    events,
    result,
    archive,
    resultPath,
    plotPath,
  };
}

/** A fresh account each time: its credits and events start from nothing, whatever the data directory holds. */
function openAccount(client: Client, terminal: Terminal, signal: AbortSignal) {
  return terminal.step('Account', async () => {
    const account: Account = {
      email: `quickstart-${randomBytes(4).toString('hex')}@infernode.local`,
      password: randomBytes(12).toString('base64url'),
    };
    await client.register(account, { signal });
    const { token } = await client.login(account, { signal });
    const user = client.withToken(token);
    const { credits: before } = await user.getCredits({ signal });
    return { value: { account, user, before }, detail: `${account.email}, ${countCredits(before)}` };
  });
}

function inferenceOf(datasetId: string, sample: Sample) {
  return {
    datasetId,
    range: 'all',
    parameters: {
      startFrame: 0,
      endFrame: sample.currentFrames - 1,
      frameStep: FRAME_STEP,
      goalFrameId: sample.goalFrame,
      detector: 'SIFT' as const,
      useGpus: false,
      intrinsics: sample.intrinsics,
      distance: sample.distance,
    },
  };
}

function countCredits(credits: number): string {
  return `${credits} ${credits === 1 ? 'credit' : 'credits'}`;
}
