import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import {
  HTTP_ONLY_FAULTS,
  RETRY_AFTER_SECONDS,
  type KserveFault,
} from '../../../tests/support/model-servers/kserve-faults.js';
import { countVelocity, smallVelocity } from '../../../tests/support/model-servers/kserve-model.js';
import {
  KserveServer,
  MODEL_INPUTS,
  MODEL_OUTPUTS,
  type KserveServerOptions,
  type KserveTransport,
} from '../../../tests/support/model-servers/kserve-server.js';
import { loadGoldenCase, type GoldenCaseFiles } from '../../../tests/support/golden-case.js';
import { buildRunInput, runContext } from '../../../tests/support/runner-jobs.js';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { readZip } from '../../../tests/support/zip-content.js';
import {
  RunnerBusyError,
  RunnerCancelledError,
  RunnerCrashedError,
  RunnerInputError,
  RunnerProtocolError,
  RunnerRefusedError,
  RunnerTimeoutError,
  RunnerUnavailableError,
  type RunnerError,
} from '../runner.errors.js';
import type { RunCheckpoint, RunInput, Runner, RunParameters, RunUsage } from '../runner.port.js';
import { createKserveRunner, type KserveRunnerOptions } from './kserve.runner.js';

/** Nothing here waits for as long as this, unless a deadline is what is tested. */
const PATIENT = { connectMs: 20_000, callMs: 20_000, stallMs: 60_000, readMs: 60_000, answerBytes: 4 * 1024 ** 2 };

describe.each<KserveTransport>(['rest', 'grpc'])(
  'a job on a server of the Open Inference Protocol over %s',
  (transport) => {
    let folder: string;
    let golden: GoldenCaseFiles;
    const opened: { close(): Promise<void> }[] = [];

    beforeAll(async () => {
      golden = await loadGoldenCase('dev-a-translate-xy');
    });
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'kserve-runner-'));
    });
    afterEach(async () => {
      // Runners before their servers.
      for (const one of opened.splice(0).reverse()) await one.close();
      const left = await readdir(folder);
      await rm(folder, { recursive: true });
      expect(left).toEqual([]);
    });

    const serve = async (options: Partial<KserveServerOptions> = {}): Promise<KserveServer> => {
      const server = await KserveServer.start({ transport, ...options });
      opened.push(server);
      return server;
    };
    const open = (server: KserveServer, options: Partial<KserveRunnerOptions> = {}): Runner => {
      const runner = createKserveRunner({
        name: 'lab',
        url: server.url,
        slots: 2,
        logger: silentLogger,
        limits: PATIENT,
        ...options,
      });
      opened.push(runner);
      return runner;
    };
    const inputFor = (parameters: Partial<RunParameters> = {}, overrides: Partial<RunInput> = {}): RunInput =>
      buildRunInput(golden, folder, { ...overrides, parameters });
    const wholeVideo = () => ({ endFrame: golden.currentFrameCount - 1, frameStep: 1 });
    const finished = async (runner: Runner, input: RunInput, context = runContext()) => {
      const result = await runner.run(input, context);
      const archive = await readZip(input.archivePath);
      await rm(input.archivePath);
      return { result, archive };
    };
    const failure = async (runner: Runner, input = inputFor(), context = runContext()): Promise<RunnerError> => {
      const outcome = await runner.run(input, context).then(
        () => new Error('The job completed.'),
        (error: unknown) => error as RunnerError,
      );
      await expect(access(input.archivePath)).rejects.toMatchObject({ code: 'ENOENT' });
      return outcome as RunnerError;
    };

    it('sends frames in order with all that the model wants, and puts the answers together', async () => {
      const server = await serve();
      const rows: number[][] = [];
      const progress: number[] = [];
      const { result, archive } = await finished(open(server), inputFor({ ...wholeVideo(), visualize: 'all' }), {
        ...runContext(({ processed }) => progress.push(processed)),
        onRows: (more) => rows.push(...more),
      });

      const frames = Array.from({ length: golden.currentFrameCount }, (_, frame) => frame);
      expect(result.velocity).toEqual(frames.map(smallVelocity));
      expect(rows).toEqual(result.velocity);
      expect(progress).toEqual([...progress].sort((a, b) => a - b));
      expect(progress.at(-1)).toBe(frames.length);
      expect(result.frames[3]).toEqual({
        frame: 3,
        keypoints: 500,
        matches: 200,
        inliers: 150,
        featureErrorPx: 3.5,
        problem: null,
      });
      expect(result.goal).toEqual({ frame: golden.goalFrame, keypoints: 400 });
      expect(result.usage).toMatchObject({ cpuSeconds: 0, gpuSeconds: 0, energy: null, reportedCarbonGrams: null });
      expect(result.warnings).toEqual([expect.stringMatching(/no pictures/)]);
      expect([...archive.keys()].sort()).toEqual(['result.json', 'trajectory.csv', 'velocity.csv', 'velocity.svg']);

      expect(server.seen.flatMap((request) => request.frames)).toEqual(frames);
      const [first] = server.seen;
      const { fx, fy, cx, cy } = golden.intrinsics;
      expect(first).toMatchObject({
        goalShape: [480, 640],
        framesShape: [1, 480, 640],
        intrinsics: [fx, fy, cx, cy],
        distance: golden.distance,
        detector: 'ORB',
        policy: 'ibvs',
        encoding: transport === 'grpc' ? 'grpc' : 'binary',
      });
      // What many servers take over gRPC.
      for (const { bytes } of server.seen) expect(bytes).toBeLessThan(4 * 1024 ** 2);
      expect(server.model.peak).toBe(1);
    });

    it('marks the requests of a job as one sequence, in which a model can remember', async () => {
      const server = await serve({ remembers: true });
      const { result } = await finished(open(server), inputFor({ ...wholeVideo(), policy: 'cns' }));
      expect(result.velocity).toEqual(result.frames.map((_, place) => countVelocity(place)));
      const marks = server.seen.map(({ parameters }) => parameters);
      expect(new Set(marks.map((parameters) => parameters['sequence_id'])).size).toBe(1);
      expect(marks.map((parameters) => parameters['sequence_start'])).toEqual(marks.map((_, place) => place === 0));
      expect(marks.map((parameters) => parameters['sequence_end'])).toEqual(
        marks.map((_, place) => place === marks.length - 1),
      );
      expect(server.model.sequences.size).toBe(0);
    });

    it('keeps two jobs at a time apart', async () => {
      const server = await serve({ remembers: true, msPerFrame: 5 });
      const runner = open(server);
      const inputs = [inputFor({ policy: 'cns' }), inputFor({ policy: 'cns', startFrame: 1 })];
      const [first, second] = await Promise.all(inputs.map((input) => finished(runner, input)));
      expect(first.result.velocity).toEqual([0, 1, 2].map(countVelocity));
      expect(second.result.velocity).toEqual([0, 1].map(countVelocity));
    });

    it('sends only what the model takes, in its types, one picture at a time, with the dimension of a batching server', async () => {
      const server = await serve({
        inputs: [
          { name: 'goal', datatype: 'UINT8', shape: [1, 480, 640] },
          { name: 'frames', datatype: 'UINT8', shape: [-1, 1, 480, 640] },
          { name: 'frame_index', datatype: 'INT32', shape: [-1, -1] },
          { name: 'intrinsics', datatype: 'FP64', shape: [4] },
          { name: 'distance', datatype: 'FP64', shape: [1] },
          { name: 'detector', datatype: 'BYTES', shape: [1] },
          { name: 'policy', datatype: 'BYTES', shape: [-1, 1] },
        ],
        outputs: [{ name: 'velocity', datatype: 'FP64', shape: [-1, 6] }],
      });
      const { result } = await finished(open(server), inputFor());
      expect(server.seen.map(({ framesShape }) => framesShape)).toEqual([0, 1, 2].map(() => [1, 1, 480, 640]));
      expect(server.seen[0].goalShape).toEqual([1, 480, 640]);
      expect(result.velocity).toEqual([0, 5, 10].map(smallVelocity));
      expect(result.frames[0]).toMatchObject({ keypoints: null, matches: null, inliers: null, featureErrorPx: null });
      expect(result.goal.keypoints).toBeNull();
    });

    it('sends everything to a server that does not say what its model takes', async () => {
      const { result } = await finished(open(await serve({ inputs: null, outputs: null })), inputFor());
      expect(result.frames.map(({ inliers }) => inliers)).toEqual([150, 150, 150]);
    });

    it('asks for the model by the name and the version that are set', async () => {
      const server = await serve({ modelName: 'servo/2', modelVersion: '7' });
      const settings = { modelName: 'servo/2', modelVersion: '7' };
      expect((await finished(open(server, { settings }), inputFor())).result.velocity).toHaveLength(3);
      expect(await failure(open(server))).toBeInstanceOf(RunnerRefusedError);
    });

    it('takes a zero velocity for a frame that the model makes nothing of, with its reason', async () => {
      const { result } = await finished(open(await serve({ problemFrames: [5] })), inputFor());
      expect(result.velocity).toEqual([smallVelocity(0), [0, 0, 0, 0, 0, 0], smallVelocity(10)]);
      expect(result.frames.map(({ problem }) => problem)).toEqual([null, 'too-few-matches', null]);
      expect(result.message).toBe('2 of 3 frames gave a velocity (ORB, a model server).');
    });

    it('adds up what the server says of its work', async () => {
      const digest = `sha256:${'a'.repeat(64)}`;
      const server = await serve({
        reports: {
          device: 'cuda:0',
          model_digest: digest,
          cpu_seconds: 0.5,
          gpu_seconds: 0.25,
          gpu_wh: 0.125,
          energy_method: 'measured',
          energy_source: 'NVML',
        },
      });
      const told: number[] = [];
      const context = { ...runContext(), onUsage: ({ cpuSeconds }: RunUsage) => void told.push(cpuSeconds) };
      const runner = open(server, { settings: { batchFrames: 1 } });
      const { result } = await finished(runner, inputFor({ useGpus: true }), context);
      expect(told).toEqual([0.5, 1, 1.5]);
      expect(result).toMatchObject({ device: 'gpu', model: { name: 'cns', digest }, warnings: [] });
      expect(result.usage).toMatchObject({
        cpuSeconds: 1.5,
        gpuSeconds: 0.75,
        energy: { method: 'measured', cpuWh: null, gpuWh: 0.375, memoryWh: null, source: 'NVML' },
      });
      expect(server.seen[0].parameters['device']).toBe('cuda:0');
    });

    it('passes on the parameters that the schema of a model adds', async () => {
      const server = await serve();
      const parameters = { gain: 0.5, mode: 'fast', robust: true, window: [1, 2] };
      await finished(open(server), inputFor({}, { model: { name: 'cns', version: '1', parameters } }));
      expect(server.seen[0].parameters).toMatchObject({ gain: 0.5, mode: 'fast', robust: true, window: '[1,2]' });
    });

    it('makes requests smaller until the server takes them, and loses no frame', async () => {
      // The goal and two frames of 640 × 480.
      const server = await serve({ maxRequestBytes: 3 * 640 * 480 + 8192, remembers: true });
      const { result } = await finished(open(server), inputFor({ ...wholeVideo(), policy: 'cns' }));
      expect(result.velocity).toEqual(result.frames.map((_, place) => countVelocity(place)));
      expect(server.seen.flatMap(({ frames }) => frames)).toEqual(result.frames.map(({ frame }) => frame));
    });

    it('refuses a server that takes no frame at all', async () => {
      const error = await failure(open(await serve({ maxRequestBytes: 640 * 480 })));
      expect(error).toBeInstanceOf(RunnerRefusedError);
      expect(error.message).toMatch(/no request as large as one with a single frame/);
    });

    it('sends its token, and is refused without it', async () => {
      const server = await serve({ token: 'open-sesame' });
      await finished(open(server, { token: 'open-sesame' }), inputFor());
      const error = await failure(open(server, { token: 'wrong' }));
      expect(error).toBeInstanceOf(RunnerRefusedError);
      expect(JSON.stringify([error.message, String(error.cause)])).not.toMatch(/wrong/);
    });

    const FAULTS: readonly (readonly [KserveFault, abstract new (...args: never[]) => RunnerError, object])[] = [
      ['model-not-ready', RunnerUnavailableError, {}],
      ['no-such-model', RunnerRefusedError, {}],
      ['refuses-token', RunnerRefusedError, {}],
      ['full', RunnerBusyError, { retryAfterSeconds: RETRY_AFTER_SECONDS }],
      ['full-silent', RunnerBusyError, { retryAfterSeconds: undefined }],
      [
        'unusable-input',
        RunnerInputError,
        { message: expect.stringMatching(/input: The goal shows nothing\.$/) as string },
      ],
      ['bad-request', RunnerRefusedError, {}],
      ['internal-error', RunnerProtocolError, { reason: 'unexpected-status' }],
      ['no-velocity', RunnerProtocolError, { reason: 'wrong-shape' }],
      ['too-few-rows', RunnerProtocolError, { reason: 'wrong-row-count' }],
      ['five-numbers', RunnerProtocolError, { reason: 'wrong-shape' }],
      ['texts-for-numbers', RunnerProtocolError, { reason: 'wrong-shape' }],
      ['wrong-length', RunnerProtocolError, { reason: 'wrong-shape' }],
      ['nan', RunnerProtocolError, { reason: 'non-finite' }],
      ['unknown-problem', RunnerProtocolError, { reason: 'wrong-shape' }],
      ['huge-answer', RunnerProtocolError, { reason: 'too-large' }],
      ['dies', RunnerCrashedError, {}],
      ['html', RunnerProtocolError, { reason: 'wrong-content-type' }],
      ['half-answer', RunnerProtocolError, { reason: 'cut-off' }],
      ['redirect-elsewhere', RunnerProtocolError, { reason: 'redirected' }],
    ];
    const faults = FAULTS.filter(([fault]) => transport === 'rest' || !HTTP_ONLY_FAULTS.includes(fault));

    it.each(faults)('tells of a server with the fault "%s"', async (fault, type, detail) => {
      const error = await failure(open(await serve({ fault })));
      expect(error).toBeInstanceOf(type);
      expect(error).toMatchObject(detail);
      // The words of a server are for the log.
      expect(error.message).not.toMatch(/Traceback|127\.0\.0\.1/);
    });

    it('gives up on a server that does not answer in time', async () => {
      const server = await serve({ fault: 'never-answers' });
      expect(await failure(open(server, { limits: { ...PATIENT, stallMs: 300 } }))).toBeInstanceOf(RunnerTimeoutError);
    });

    it.runIf(transport === 'rest')('gives up on an answer that does not end', async () => {
      const server = await serve({ fault: 'trickle' });
      expect(await failure(open(server, { limits: { ...PATIENT, readMs: 300 } }))).toBeInstanceOf(RunnerTimeoutError);
    });

    it('says that nobody listens, soon', async () => {
      const server = await serve();
      await server.close();
      const runner = open(server);
      expect(await failure(runner)).toBeInstanceOf(RunnerUnavailableError);
      expect(await runner.health()).toMatchObject({
        state: 'UNHEALTHY',
        detail: expect.stringMatching(/ECONNREFUSED/) as string,
      });
    });

    it('waits for a server that is full in the middle of a job whose frames are independent', async () => {
      const server = await serve({ fault: (request) => (request === 1 ? 'full-silent' : undefined) });
      const { result } = await finished(open(server, { settings: { batchFrames: 1 } }), inputFor());
      expect(result.velocity).toEqual([0, 5, 10].map(smallVelocity));
    });

    it('ends the attempt when a server is full in the middle of a job that remembers', async () => {
      const server = await serve({ remembers: true, fault: (request) => (request === 1 ? 'full' : undefined) });
      const error = await failure(open(server, { settings: { batchFrames: 1 } }), inputFor({ policy: 'cns' }));
      // Not "busy": work has been done, so the attempt counts.
      expect(error).toBeInstanceOf(RunnerUnavailableError);
      expect(error.retryAfterSeconds).toBe(RETRY_AFTER_SECONDS);
      expect(server.model.sequences.size).toBe(0);
    });

    it('goes on behind a checkpoint where frames are independent', async () => {
      const server = await serve({
        fault: (request) => (request === 2 ? 'internal-error' : undefined),
        msPerFrame: 1500,
      });
      const runner = open(server, { settings: { batchFrames: 1 } });
      const checkpoints: RunCheckpoint[] = [];
      const input = inputFor();
      const context = {
        ...runContext(),
        onCheckpoint: (checkpoint: RunCheckpoint) => void checkpoints.push(checkpoint),
      };
      expect(await failure(runner, input, context)).toBeInstanceOf(RunnerProtocolError);
      const kept = checkpoints.flatMap(({ velocity }) => velocity);
      expect(kept).toEqual([0, 5].slice(0, kept.length).map(smallVelocity));
      expect(kept).not.toEqual([]);
      const resume = {
        velocity: kept,
        frames: checkpoints.flatMap(({ frames }) => frames),
        state: checkpoints[0].state,
        picturesPaths: [],
      };
      const before = server.seen.length;
      const { result } = await finished(runner, { ...input, attempt: 2, resume });
      expect(result.velocity).toEqual([0, 5, 10].map(smallVelocity));
      const again = server.seen.slice(before).flatMap((request) => request.frames);
      expect(again).toEqual([0, 5, 10].slice(kept.length));
      expect(runner.checkpointKey?.(input.parameters)).toContain('lab');
    });

    it('makes no checkpoints of a model that remembers', async () => {
      const server = await serve({ remembers: true, msPerFrame: 1100 });
      const onCheckpoint = () => expect.unreachable();
      const input = inputFor({ policy: 'cns' });
      const { result } = await finished(open(server, { settings: { batchFrames: 1 } }), input, {
        ...runContext(),
        onCheckpoint,
      });
      expect(result.velocity).toHaveLength(3);
    });

    it('stops when the signal fires; a server that answers has stopped, and says so', async () => {
      const server = await serve({ remembers: true, msPerFrame: 20 });
      const controller = new AbortController();
      const error = await failure(open(server), inputFor({ ...wholeVideo(), policy: 'cns' }), {
        signal: controller.signal,
        onProgress: ({ processed }) => {
          if (processed > 0) controller.abort();
        },
      });
      expect(error).toBeInstanceOf(RunnerCancelledError);
      expect(error).toMatchObject({ stop: { by: 'server', stoppedAt: expect.any(Date) as Date } });
      // And the model has forgotten the job.
      expect(server.model.sequences.size).toBe(0);
      expect(server.seen.length).toBeLessThan(8);
    });

    it('stops within a second on a server that does not answer, and claims no more than that', async () => {
      const server = await serve({ fault: 'never-answers' });
      const controller = new AbortController();
      const job = failure(open(server), inputFor(), { ...runContext(), signal: controller.signal });
      await server.untilHanging();
      controller.abort();
      expect(await job).toMatchObject({ code: 'runner-cancelled', stop: { by: 'connection' } });
    });

    it('asks the server nothing when the signal has fired before', async () => {
      const server = await serve();
      const error = await failure(open(server), inputFor(), { ...runContext(), signal: AbortSignal.abort() });
      expect(error).toMatchObject({ code: 'runner-cancelled', stop: null });
      expect(server.seen).toEqual([]);
    });

    it('loses the job of a server that dies, and runs the next one', async () => {
      const server = await serve({ msPerFrame: 20 });
      const runner = open(server);
      let hasCrashed = false;
      const error = await failure(
        runner,
        inputFor(wholeVideo()),
        runContext(({ processed }) => {
          if (processed === 0 || hasCrashed) return;
          hasCrashed = true;
          server.crash();
        }),
      );
      expect(error).toBeInstanceOf(RunnerCrashedError);
      expect((await finished(runner, inputFor())).result.velocity).toHaveLength(3);
    });

    it('ends its job when it is closed, twice, and takes no other', async () => {
      const server = await serve({ fault: 'never-answers' });
      const runner = open(server);
      const job = failure(runner);
      await server.untilHanging();
      await runner.close();
      await runner.close();
      expect(await job).toBeInstanceOf(RunnerUnavailableError);
      expect(await failure(runner)).toBeInstanceOf(RunnerUnavailableError);
      expect(await runner.health()).toEqual({ state: 'CLOSED' });
    });

    it('tells how the server is', async () => {
      const server = await serve();
      const runner = open(server);
      expect(runner.describe()).toMatchObject({
        kind: 'kserve',
        name: 'lab',
        version: 'unknown',
        serves: ['cns'],
        slots: 2,
      });
      expect(await runner.health()).toEqual({ state: 'READY' });
      expect(runner.describe().version).toBe('scripted 1.2.3');
      server.fault = 'server-not-ready';
      expect(await runner.health()).toMatchObject({ state: 'STARTING' });
      server.fault = 'model-not-ready';
      expect(await runner.health()).toMatchObject({
        state: 'STARTING',
        detail: expect.stringMatching(/"cns"/) as string,
      });
      server.fault = 'no-such-model';
      expect(await runner.health()).toMatchObject({ state: 'UNHEALTHY' });
      server.fault = 'refuses-token';
      expect(await runner.health()).toMatchObject({ state: 'UNHEALTHY' });
    });

    it('names every tensor of a model that does not fit', async () => {
      const server = await serve({
        inputs: [
          ...MODEL_INPUTS.filter(({ name }) => name !== 'goal' && name !== 'frames'),
          { name: 'frames', datatype: 'FP32', shape: [-1, 3, 224, 224] },
          { name: 'prompt', datatype: 'BYTES', shape: [1] },
        ],
        outputs: MODEL_OUTPUTS.map((output) => (output.name === 'velocity' ? { ...output, shape: [-1, 7] } : output)),
      });
      const error = await failure(open(server));
      expect(error).toBeInstanceOf(RunnerRefusedError);
      expect(error.message).toMatch(/lacks the input "goal" \(UINT8 \[height, width\]\)/);
      expect(error.message).toMatch(
        /input "frames" is FP32 \[-1, 3, 224, 224\] instead of UINT8 \[frames, height, width\]/,
      );
      expect(error.message).toMatch(/an input "prompt", for which a job has nothing/);
      expect(error.message).toMatch(/output "velocity" is FP64 \[-1, 7\] instead of FP64 or FP32 \[frames, 6\]/);
      expect(server.seen).toEqual([]);
    });

    it('refuses videos of another size than the model takes, as a matter of the input', async () => {
      const inputs = MODEL_INPUTS.map((input) => (input.name === 'goal' ? { ...input, shape: [224, 224] } : input));
      const error = await failure(open(await serve({ inputs })));
      expect(error).toBeInstanceOf(RunnerInputError);
      expect(error.message).toBe('The model takes pictures of 224 × 224 pixels only; the goal video has 640 × 480.');
    });

    it.runIf(transport === 'rest')(
      'sends numbers in JSON to a server that does not take raw tensors, or is set to',
      async () => {
        for (const [options, settings] of [
          [{ takesBinary: false }, {}],
          [{}, { encoding: 'json' }],
        ] as const) {
          const server = await serve(options);
          const { result } = await finished(open(server, { settings }), inputFor());
          expect(result.velocity).toEqual([0, 5, 10].map(smallVelocity));
          expect(new Set(server.seen.map(({ encoding }) => encoding))).toEqual(new Set(['json']));
        }
      },
    );
  },
);

describe('a runner of the Open Inference Protocol', () => {
  it('refuses addresses and settings that are none', () => {
    const options = { name: 'lab', slots: 1, logger: silentLogger };
    expect(() => createKserveRunner({ ...options, url: new URL('ftp://host') })).toThrow(RangeError);
    const url = new URL('http://host');
    expect(() => createKserveRunner({ ...options, url, settings: { batchFrames: 0 } })).toThrow(/batchFrames/);
    expect(() => createKserveRunner({ ...options, url, settings: { batch: 1 } as object })).toThrow(/batch/);
  });
});
