import { join } from 'node:path';

import {
  CNS_MODEL,
  type RunContext,
  type RunInput,
  type RunParameters,
  type RunProgress,
} from '../../src/runners/runner.port.js';
import type { GoldenCaseFiles } from './golden-case.js';

/** A job on a golden case: frames 0, 5 and 10 with ORB and no pictures, unless told otherwise. */
export function buildRunInput(
  golden: GoldenCaseFiles,
  folder: string,
  overrides: Partial<Omit<RunInput, 'parameters'>> & { parameters?: Partial<RunParameters> } = {},
): RunInput {
  const jobId = overrides.jobId ?? crypto.randomUUID();
  return {
    attempt: 1,
    frameRate: 30,
    model: CNS_MODEL,
    goalVideoPath: golden.goalVideoPath,
    currentVideoPath: golden.currentVideoPath,
    archivePath: join(folder, `${jobId}.zip`),
    ...overrides,
    jobId,
    parameters: {
      startFrame: 0,
      endFrame: 10,
      frameStep: 5,
      goalFrameId: golden.goalFrame,
      detector: 'ORB',
      policy: 'ibvs',
      useGpus: false,
      intrinsics: golden.intrinsics,
      distance: golden.distance,
      visualize: 'none',
      ...overrides.parameters,
    },
  };
}

/** A context that is never cancelled and tells a listener, if any, about progress. */
export function runContext(onProgress: (progress: RunProgress) => void = () => undefined): RunContext {
  return { signal: new AbortController().signal, onProgress };
}
