import { resolve } from 'node:path';

import type { Config } from '../platform/config/load-config.js';
import type { Logger } from '../platform/logging/logger.js';
import { VERSION } from '../platform/version.js';
import { loadCnsWeights, WeightsFileError, type WeightsFile } from '../runners/embedded/cns/load-weights.js';
import { createRunner } from '../runners/runner.registry.js';
import type { Runner } from '../runners/runner.port.js';

/**
 * The runner of this installation. Nothing is started before its first job.
 * @throws Error when CNS_WEIGHTS names a file that does not hold the weights
 */
export async function createDefaultRunner(config: Config, logger: Logger): Promise<Runner> {
  const { FFMPEG_PATH, CNS_WEIGHTS } = config.settings;
  return createRunner('embedded', {
    logger,
    processes: config.engineProcesses,
    threads: config.engineThreads,
    version: VERSION,
    ...(FFMPEG_PATH === undefined ? {} : { ffmpegPath: FFMPEG_PATH }),
    ...(CNS_WEIGHTS === undefined ? {} : { cnsWeights: await checkWeights(CNS_WEIGHTS) }),
  });
}

/** Read here to be checked and to be told of; each engine reads them for itself. */
async function checkWeights(setting: string): Promise<WeightsFile> {
  const path = resolve(setting);
  try {
    const { digest } = await loadCnsWeights(path);
    return { path, digest };
  } catch (error) {
    if (!(error instanceof WeightsFileError)) throw error;
    throw new Error(`CNS_WEIGHTS: ${error.message}`, { cause: error });
  }
}
