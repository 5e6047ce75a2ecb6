import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rotateReceiptKey } from '../../src/platform/auth/receipt-key.js';
import { RunnerCrashedError } from '../../src/runners/runner.errors.js';
import { createClient } from '../../src/sdk/client.js';
import { verifyReceipt } from '../../src/sdk/verify-receipt.js';
import { startApp, type App } from '../support/app.js';
import { buildJob, buildUser, buildVideo, SMALL_VIDEO, type TestJob } from '../support/build.js';
import { jobEnd } from '../support/jobs.js';
import { expectProblem } from '../support/problems.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { runToEnd } from '../support/server-process.js';
import { until } from '../support/wait.js';

const crash = new RunnerCrashedError('The process died.');
const FRAMES = { startFrame: 0, endFrame: 9, frameStep: 1 };

describe('the receipt of a job', () => {
  let app: App;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'receipts-'));
    const runner = createScriptedRunner({
      behaviour: ({ attempt, parameters }) => ({
        usage: { wallSeconds: 60, cpuSeconds: 360 },
        ...(parameters.frameStep === 1 && attempt === 1 ? { failure: { afterFrames: 5, error: crash } } : {}),
        ...(parameters.frameStep === 3 ? { hangAfterFrames: 1 } : {}),
      }),
    });
    const settings = { INFERENCE_FRAMES_PER_CREDIT: '5', CARBON_REGION: 'DEU' };
    app = await startApp({ runner, settings });
  });
  afterAll(async () => {
    await app.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const sdkOf = ({ user }: TestJob) => createClient({ baseUrl: app.baseUrl, token: user.token });
  const keySet = async () => (await app.client().get<JSONWebKeySet>('/.well-known/jwks.json')).body;
  async function completedJob(frameStep = 2): Promise<TestJob> {
    const job = await buildJob(app, { parameters: { ...FRAMES, frameStep } });
    expect((await jobEnd(app, job)).status).toBe('COMPLETED');
    return job;
  }

  it('tells what went in, what ran it, and what all attempts took, signed by a key of the key set', async () => {
    const job = await completedJob(1);
    const { receipt, jws } = await sdkOf(job).getJobReceipt(job.id);
    const content = await readFile(SMALL_VIDEO);
    const video = { sha256: createHash('sha256').update(content).digest('hex'), bytes: content.length };
    expect(receipt).toMatchObject({
      ...{ version: 1, job_id: job.id, user_id: job.user.id, retry_of: null, frames: 10, credits: 2 },
      ...{ seconds: 120, cpu_seconds: 720, gpu_seconds: 0, device: 'cpu', reported_grams: null },
      model: { name: 'cns', digest: null },
      inputs: { goal_video: video, current_video: video },
      parameters: { detector: 'ORB', endFrame: 9 },
      runner: { kind: 'scripted', name: 'Scripted runner', version: '1' },
      attempts: [
        { number: 1, outcome: 'FAILED', seconds: 60, energy: { energy_wh: 1, method: 'estimated' } },
        { number: 2, outcome: 'COMPLETED', seconds: 60, energy: { energy_wh: 1 } },
      ],
      energy: { energy_wh: 2, parts: { cpu_wh: 2, gpu_wh: null, memory_wh: null }, method: 'estimated' },
      intensity: { grams_per_kwh: 380.9, region: 'DE', year: 2023 },
    });
    expect(receipt.carbon_footprint).toBeCloseTo(0.7618, 10);
    expect(Object.keys(receipt.parameters)).not.toContain('undefined');

    const { protectedHeader, payload } = await compactVerify(jws, createLocalJWKSet(await keySet()));
    expect(protectedHeader).toEqual({
      ...{ alg: 'EdDSA', typ: 'infernode-receipt+json', kid: expect.any(String) as string },
    });
    expect(JSON.parse(Buffer.from(payload).toString())).toEqual(receipt);
  });

  it('fits the result, the archive and the videos, by the command line and without a server', async () => {
    const job = await completedJob();
    const sdk = sdkOf(job);
    const files = {
      receipt: path.join(folder, 'receipt.json'),
      keys: path.join(folder, 'jwks.json'),
      result: path.join(folder, 'result.json'),
      archive: path.join(folder, 'result.zip'),
    };
    const answer = await sdk.getJobReceipt(job.id);
    await writeFile(files.receipt, JSON.stringify(answer, null, 2));
    await writeFile(files.keys, JSON.stringify(await keySet()));
    const result = await sdk.getJobResult(job.id);
    await writeFile(files.result, JSON.stringify(result));
    await sdk.getJobArchive(job.id, files.archive);
    const verify = (...words: string[]) => runToEnd(['receipt', 'verify', ...words], { env: {}, cwd: folder });

    const evidence = ['--result', files.result, '--archive', files.archive, '--goal', SMALL_VIDEO];
    const whole = await verify(files.receipt, '--keys', files.keys, ...evidence, '--current', SMALL_VIDEO);
    expect(whole).toMatchObject({ code: 0, stderr: '' });
    expect(whole.stdout).toMatch(/^The receipt is genuine\.\n/);
    expect(whole.stdout.match(/^ {2}ok {5}/gm)).toHaveLength(8);

    // Another result, file and key: each is named.
    await writeFile(files.result, JSON.stringify({ results: { ...result.results, message: 'Other' } }));
    const wrong = await verify(files.receipt, '--keys', files.keys, ...evidence, '--current', files.keys, '--json');
    expect(wrong).toMatchObject({ code: 1, stderr: '' });
    const verdict = JSON.parse(wrong.stdout) as { valid: boolean; checks: { name: string; passed: boolean }[] };
    expect(verdict.valid).toBe(false);
    const failed = verdict.checks.filter(({ passed }) => !passed).map(({ name }) => name);
    expect(failed).toEqual(['result', 'current video']);

    await writeFile(files.receipt, JSON.stringify({ ...answer, receipt: { ...answer.receipt, credits: 0 } }));
    expect(await verify(files.receipt, '--keys', files.keys)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/NOT genuine[^]*FAILED {2}shown/) as string,
    });
    await writeFile(files.receipt, answer.jws);
    await writeFile(files.keys, '{"keys":[]}');
    expect(await verify(files.receipt, '--keys', files.keys)).toMatchObject({ code: 1 });
    expect(await verify(files.receipt, '--keys', `${app.baseUrl}/.well-known/jwks.json`)).toMatchObject({ code: 0 });

    // What keeps it from being checked is neither yes nor no.
    await writeFile(files.keys, '[]');
    const unchecked = [
      [path.join(folder, 'missing'), '--keys', files.keys],
      [files.receipt, '--keys', files.keys],
      [files.receipt, '--keys', path.join(folder, 'missing')],
      [files.receipt, '--keys', `${app.baseUrl}/nowhere`],
      [files.receipt],
      [files.receipt, '--goal', path.join(folder, 'missing')],
      [],
    ];
    const codes = await Promise.all(unchecked.map(async (words) => (await verify(...words)).code));
    expect(codes).toEqual(unchecked.map(() => 64));
  });

  it('is one and the same for everybody who asks first, on every process', async () => {
    const beside = await startApp({ parts: ['http'], beside: app });
    try {
      const job = await completedJob();
      const urls = [app.baseUrl, beside.baseUrl];
      const asked = Array.from({ length: 12 }, (_, place) =>
        createClient({ baseUrl: urls[place % 2], token: job.user.token }).getJobReceipt(job.id),
      );
      expect(new Set((await Promise.all(asked)).map((answer) => JSON.stringify(answer))).size).toBe(1);
      const rows = await app.sql('SELECT key_id FROM receipts WHERE job_id = $1 AND jws IS NOT NULL', [job.id]);
      expect(rows).toHaveLength(1);
    } finally {
      await beside.stop();
    }
  });

  it('stays to the letter when videos and result are gone and the key is another', async () => {
    const job = await completedJob();
    const unasked = await completedJob();
    const sdk = sdkOf(job);
    const before = await sdk.getJobReceipt(job.id);
    const oldKeys = await keySet();
    await sdk.deleteJobResult(job.id);
    await sdkOf(unasked).deleteJobResult(unasked.id);
    for (const { user, datasetId } of [job, unasked]) {
      await createClient({ baseUrl: app.baseUrl, token: user.token }).deleteDataset(datasetId);
    }
    await app.sql("UPDATE videos SET deleted_at = now() - interval '1 year' WHERE deleted_at IS NOT NULL");
    await app.container.services.retention.purge();
    await rotateReceiptKey(app.config.receiptKeyPath);
    const kidOf = (jws: string) => decodeProtectedHeader(jws).kid;
    const oldKid = kidOf(before.jws);
    await until(async () => (await keySet()).keys.length > oldKeys.keys.length, { what: 'the new key in the key set' });

    expect(await sdk.getJobReceipt(job.id)).toEqual(before);
    // Written when the job completed, signed when somebody asked.
    const later = await sdkOf(unasked).getJobReceipt(unasked.id);
    expect(later.receipt.result.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(kidOf(later.jws)).not.toBe(oldKid);
    const keys = await keySet();
    for (const answer of [before, later]) expect((await verifyReceipt(answer, keys)).valid).toBe(true);
    // The key set of before knows the receipt of before.
    expect((await verifyReceipt(before, oldKeys)).valid).toBe(true);
    expect((await verifyReceipt(later, oldKeys)).valid).toBe(false);
  });

  it('of a job from before there were receipts is made of what is still known', async () => {
    const job = await completedJob();
    const forget = async () => {
      await app.sql('ALTER TABLE receipts DISABLE TRIGGER receipts_kept');
      await app.sql('DELETE FROM receipts WHERE job_id = $1', [job.id]);
      await app.sql('ALTER TABLE receipts ENABLE TRIGGER receipts_kept');
    };
    const sdk = sdkOf(job);
    const written = await sdk.getJobReceipt(job.id);
    await forget();
    const rewritten = await sdk.getJobReceipt(job.id);
    expect(rewritten.receipt).toEqual({ ...written.receipt, receipt_id: rewritten.receipt.receipt_id });
    await forget();
    await app.sql('UPDATE inference_attempts SET footprint = NULL WHERE job_id = $1', [job.id]);
    await sdk.deleteJobResult(job.id);
    const scant = await sdk.getJobReceipt(job.id);
    expect(scant.receipt).toMatchObject({
      ...{ runner: null, device: null, intensity: null, seconds: 0 },
      energy: { energy_wh: 1 },
      attempts: [{ seconds: null, energy: null }],
      result: { sha256: null, members: [] },
    });
    expect((await verifyReceipt(scant, (await keySet()) as never)).valid).toBe(true);
  });

  it('cannot be changed in the database', async () => {
    const job = await completedJob();
    await sdkOf(job).getJobReceipt(job.id);
    for (const statement of [
      `UPDATE receipts SET payload = '{}' WHERE job_id = $1`,
      `UPDATE receipts SET jws = 'x' WHERE job_id = $1`,
      'DELETE FROM receipts WHERE job_id = $1',
    ]) {
      await expect(app.sql(statement, [job.id])).rejects.toThrow('is final');
    }
  });

  it('is only there for its owner, and for jobs that are completed', async () => {
    const job = await completedJob();
    const stranger = await buildUser(app);
    expectProblem(await stranger.api.get(`/api/inference/${job.id}/receipt`), 'not-found');
    expectProblem(await app.client().get(`/api/inference/${job.id}/receipt`), 'authentication-required');
    const video = await buildVideo(app);
    const running = await buildJob(app, { video, parameters: { ...FRAMES, frameStep: 3 } });
    const { api } = running.user;
    expectProblem(await api.get(`/api/inference/${running.id}/receipt`), 'result-not-ready');
    await api.post(`/api/inference/${running.id}/cancel`);
    expect((await jobEnd(app, running)).status).toBe('ABORTED');
    expectProblem(await api.get(`/api/inference/${running.id}/receipt`), 'job-without-result');
  });
});
