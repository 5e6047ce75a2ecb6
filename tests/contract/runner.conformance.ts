import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { RunnerCancelledError, RunnerCrashedError, RunnerUnavailableError } from '../../src/runners/runner.errors.js';
import {
  FRAME_PROBLEMS,
  type RunInput,
  type Runner,
  type RunParameters,
  type RunProgress,
} from '../../src/runners/runner.port.js';
import { loadGoldenCase, type GoldenCaseFiles } from '../support/golden-case.js';
import { buildRunInput, runContext } from '../support/runner-jobs.js';
import { readZip } from '../support/zip-content.js';

export interface RunnerUnderTest {
  runner: Runner;
  /** Makes the process behind a running job die, as `kill -9` does. */
  crash(): void;
}

/**
 * The promises of the runner port, checked on one implementation.
 *
 * @param make a new runner with at least two slots; the suite closes it
 */
export function describeRunner(name: string, make: () => RunnerUnderTest): void {
  describe(`runner: ${name}`, () => {
    let folder: string;
    let golden: GoldenCaseFiles;
    let subject: RunnerUnderTest;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'runner-conformance-'));
      golden = await loadGoldenCase('dev-a-translate-xy');
      subject = make();
    });

    afterAll(async () => {
      await subject.runner.close();
      await rm(folder, { recursive: true, force: true });
    });

    const inputFor = (parameters: Partial<RunParameters> = {}): RunInput =>
      buildRunInput(golden, folder, { parameters });
    const longJob = () => inputFor({ endFrame: golden.currentFrameCount - 1, frameStep: 1 });

    it('describes itself', () => {
      const description = subject.runner.describe();
      expect(description.kind).not.toBe('');
      expect(description.slots).toBeGreaterThanOrEqual(2);
      expect(description.detectors).toContain('ORB');
      expect(description.policies).toContain('ibvs');
    });

    it('is healthy before its first job', async () => {
      expect((await subject.runner.health()).state).toMatch(/STARTING|READY/);
    });

    it('returns one finite row and one report per frame, and a ZIP', async () => {
      const input = inputFor();
      const result = await subject.runner.run(input, runContext());

      expect(result.frames.map(({ frame }) => frame)).toEqual([0, 5, 10]);
      expect(result.velocity).toHaveLength(3);
      for (const row of result.velocity) {
        expect(row).toHaveLength(6);
        expect(row.every(Number.isFinite)).toBe(true);
      }
      for (const { problem } of result.frames) expect([null, ...FRAME_PROBLEMS]).toContain(problem);
      expect(result.goal.frame).toBe(golden.goalFrame);
      expect(result.goal.keypoints).toBeGreaterThan(0);
      expect(result.usage.wallSeconds).toBeGreaterThanOrEqual(0);
      expect(result.usage.cpuSeconds).toBeGreaterThanOrEqual(0);
      expect(result.message).not.toBe('');

      const archive = await readZip(input.archivePath);
      const csv = archive.get('velocity.csv')?.toString() ?? '';
      expect(csv.split('\n')[0]).toBe('frame,vx,vy,vz,wx,wy,wz,inliers,problem');
      expect(csv.trimEnd().split('\n')).toHaveLength(4);
      expect(archive.has('result.json')).toBe(true);
    });

    it('reports progress that only grows and ends complete', async () => {
      const seen: RunProgress[] = [];
      await subject.runner.run(
        inputFor(),
        runContext((progress) => seen.push(progress)),
      );
      const processed = seen.map((progress) => progress.processed);
      expect(processed).toEqual([...processed].sort((a, b) => a - b));
      expect(seen.at(-1)).toEqual({ processed: 3, total: 3 });
      expect(seen.every(({ total }) => total === 3)).toBe(true);
    });

    it('hands over the rows of its result in order, as far as it hands over any', async () => {
      const rows: number[][] = [];
      const context = { ...runContext(), onRows: (more: readonly number[][]) => void rows.push(...more) };
      const { velocity } = await subject.runner.run(inputFor(), context);
      expect(rows).toEqual(velocity.slice(0, rows.length));
    });

    it('stops within a second when the signal fires, and leaves nothing behind', async () => {
      const input = longJob();
      const controller = new AbortController();
      let abortedAt = NaN;
      const job = subject.runner.run(input, {
        signal: controller.signal,
        onProgress: ({ processed }) => {
          if (processed === 0) return;
          if (!controller.signal.aborted) abortedAt = performance.now();
          controller.abort();
        },
      });
      const error = await job.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(RunnerCancelledError);
      expect((error as RunnerCancelledError).stop?.by).toBe('engine');
      expect(performance.now() - abortedAt).toBeLessThan(1000);
      await expectNothingAt(input.archivePath);
    });

    it('does not begin a job whose signal has fired already', async () => {
      const input = inputFor();
      const job = subject.runner.run(input, {
        signal: AbortSignal.abort(),
        onProgress: () => undefined,
      });
      await expect(job).rejects.toBeInstanceOf(RunnerCancelledError);
      await expectNothingAt(input.archivePath);
    });

    it('runs jobs at the same time without mixing them up', async () => {
      const inputs = [inputFor({ startFrame: 0 }), inputFor({ startFrame: 1 })];
      const results = await Promise.all(inputs.map((input) => subject.runner.run(input, runContext())));
      expect(results.map((result) => result.frames.map(({ frame }) => frame))).toEqual([
        [0, 5, 10],
        [1, 6],
      ]);
      for (const input of inputs) expect((await readZip(input.archivePath)).size).toBeGreaterThan(0);
    });

    it('rejects the job of a process that died, and runs the next one', async () => {
      const input = longJob();
      let hasCrashed = false;
      const job = subject.runner.run(input, {
        signal: new AbortController().signal,
        onProgress: ({ processed }) => {
          if (processed === 0 || hasCrashed) return;
          hasCrashed = true;
          subject.crash();
        },
      });
      await expect(job).rejects.toBeInstanceOf(RunnerCrashedError);
      await expectNothingAt(input.archivePath);

      const next = await subject.runner.run(inputFor(), runContext());
      expect(next.velocity).toHaveLength(3);
    });

    it('leaves only finished archives in the folder', async () => {
      const names = await readdir(folder);
      expect(names.filter((file) => !file.endsWith('.zip'))).toEqual([]);
    });

    it('closes under a running job, twice, and takes no job afterwards', async () => {
      const { runner } = make();
      const input = longJob();
      let outcome: Promise<void> | undefined;
      await new Promise<void>((resolve) => {
        const job = runner.run(input, {
          signal: new AbortController().signal,
          onProgress: () => {
            resolve();
          },
        });
        outcome = expect(job).rejects.toBeInstanceOf(RunnerUnavailableError);
      });
      await runner.close();
      await runner.close();
      await outcome;
      await expectNothingAt(input.archivePath);
      expect((await runner.health()).state).toBe('CLOSED');
      await expect(runner.run(inputFor(), runContext())).rejects.toBeInstanceOf(RunnerUnavailableError);
    });
  });
}

async function expectNothingAt(path: string): Promise<void> {
  await expect(access(path)).rejects.toMatchObject({ code: 'ENOENT' });
}
