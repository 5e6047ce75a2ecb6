import type { StageWatch } from '../../src/runners/conformance/check.js';
import type { ConformanceOptions } from '../../src/runners/conformance/conformance.js';
import { createEmbeddedRunner, type EmbeddedRunner } from '../../src/runners/embedded/embedded.runner.js';
import { RunnerInputError } from '../../src/runners/runner.errors.js';
import type { RunInput } from '../../src/runners/runner.port.js';
import { createFastApiRunner } from '../../src/runners/fastapi/fastapi.runner.js';
import { createKserveRunner } from '../../src/runners/kserve/kserve.runner.js';
import { loadSample } from '../../src/runners/servo-sample.js';
import { startConformingServer } from '../support/model-servers/conforming-server.js';
import type { FastApiServerOptions } from '../support/model-servers/fastapi-server.js';
import { KserveServer, type KserveTransport } from '../support/model-servers/kserve-server.js';
import { createScriptedRunner, type Script, type ScriptedRunner } from '../support/scripted.runner.js';
import { silentLogger } from '../support/silent-logger.js';
import { until } from '../support/wait.js';

/** A kind of runner, with a server of its own where it needs one. */
export interface RunnerSubject {
  name: string;
  /** Checks that do not apply, by name: this kind lacks what they look at. */
  skips: readonly string[];
  /** Checks that apply on some machines only. */
  maySkip?: readonly string[];
  start(): Promise<StartedSubject>;
}

export interface StartedSubject {
  options: Pick<ConformanceOptions, 'open' | 'watch'>;
  /** Makes the processes behind running jobs die, as `kill -9` does. */
  crash(): void | Promise<void>;
  /** Ends what runners do not end themselves. */
  stop(): Promise<void>;
}

/** Every kind that there is, and the scripted one, whose promises the tests of everything else rely on. */
export const RUNNER_SUBJECTS: readonly RunnerSubject[] = [
  {
    name: 'scripted',
    skips: ['usage'],
    async start() {
      const { truth } = await loadSample();
      const script: Script = { msPerFrame: 10, velocity: (frame) => truth[frame] };
      const refusal: Script = { failure: { afterFrames: 0, error: new RunnerInputError('Nobody can work on it.') } };
      const made: ScriptedRunner[] = [];
      const open = () => {
        const behaviour = ({ parameters: { goalFrameId }, currentVideoPath }: RunInput) =>
          goalFrameId >= 20 || currentVideoPath.includes('no-video') ? refusal : script;
        const runner = createScriptedRunner({ behaviour });
        made.push(runner);
        return runner;
      };
      const crash = () => {
        for (const runner of made) runner.crash();
      };
      return { options: { open }, crash, stop: () => Promise.resolve() };
    },
  },
  {
    name: 'embedded',
    skips: [],
    // Only where a meter can be read.
    maySkip: ['usage'],
    start: () => {
      const made: EmbeddedRunner[] = [];
      const open = () => {
        const runner = createEmbeddedRunner({ logger: silentLogger, processes: 2, version: '0.0.0' });
        made.push(runner);
        return runner;
      };
      const crash = () => {
        for (const pid of made.flatMap((runner) => runner.pids())) process.kill(pid, 'SIGKILL');
      };
      return Promise.resolve({ options: { open }, crash, stop: () => Promise.resolve() });
    },
  },
  {
    name: 'fastapi',
    skips: [],
    start: () => startFastApi({}),
  },
  {
    name: 'fastapi of the first version',
    // It says nothing before its result, and nothing about frames and energy.
    skips: ['progress-on-the-way', 'partial-rows', 'frame-counts', 'usage', 'cancel-confirmed'],
    start: () => startFastApi({ contract: 'legacy' }),
  },
  {
    name: 'kserve',
    skips: ['usage'],
    // The protocol has no word for stopping: only a server that answers soon has said that it is done.
    maySkip: ['cancel-confirmed'],
    start: () => startKserve('rest'),
  },
  {
    name: 'kserve over gRPC',
    skips: ['usage'],
    // The protocol has no word for stopping: only a server that answers soon has said that it is done.
    maySkip: ['cancel-confirmed'],
    start: () => startKserve('grpc'),
  },
];

/** Runners on a scripted server that knows the true velocities of the scene. */
async function startFastApi(options: FastApiServerOptions): Promise<StartedSubject> {
  const slowlyFetched = new Set<string>();
  const server = await startConformingServer(options, ({ fields }) =>
    [...slowlyFetched].some((jobId) => fields['jobId'].startsWith(jobId)) ? 'trickling-zip' : undefined,
  );
  const open = () => createFastApiRunner({ name: 'scripted', url: server.url, slots: 4, logger: silentLogger });
  const watch: StageWatch = (stage, jobId) => {
    if (stage === 'fetching') slowlyFetched.add(jobId);
    return server.untilStage(stage, jobId);
  };
  return { options: { open, watch }, crash: () => server.crash(), stop: () => server.close() };
}

/** Runners on a scripted server of the Open Inference Protocol. The worker sees the videos, the server only tensors. */
async function startKserve(transport: KserveTransport): Promise<StartedSubject> {
  const { truth } = await loadSample();
  const server = await KserveServer.start({ transport, msPerFrame: 10, velocity: (frame) => truth[frame] });
  const open = () => createKserveRunner({ name: 'scripted', url: server.url, slots: 4, logger: silentLogger });
  const watch: StageWatch = async (stage) => {
    // Nothing is fetched: the worker makes the archive.
    if (stage === 'fetching') return new Promise(() => undefined);
    const before = server.seen.length;
    const isAsked = () => server.seen.length > before && server.model.inFlight > 0;
    await until(isAsked, { deadline: 60_000, what: 'a request to the model' });
  };
  return { options: { open, watch }, crash: () => server.crash(), stop: () => server.close() };
}
