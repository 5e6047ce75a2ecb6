import type { StageWatch } from '../../src/runners/conformance/check.js';
import type { ConformanceOptions } from '../../src/runners/conformance/conformance.js';
import { createEmbeddedRunner, type EmbeddedRunner } from '../../src/runners/embedded/embedded.runner.js';
import { RunnerInputError } from '../../src/runners/runner.errors.js';
import type { RunInput } from '../../src/runners/runner.port.js';
import { createFastApiRunner } from '../../src/runners/fastapi/fastapi.runner.js';
import { loadSample } from '../../src/runners/servo-sample.js';
import { startConformingServer } from '../support/model-servers/conforming-server.js';
import type { FastApiServerOptions } from '../support/model-servers/fastapi-server.js';
import { createScriptedRunner, type Script, type ScriptedRunner } from '../support/scripted.runner.js';
import { silentLogger } from '../support/silent-logger.js';

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
