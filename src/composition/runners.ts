import { resolve } from 'node:path';
import type { RunnerIdentity } from '../modules/runner/runner.domain.js';
import { UNTOLD_SLOTS } from '../modules/runner/runner.domain.js';
import type { SecretBox } from '../platform/auth/secret-box.js';
import type { Config } from '../platform/config/load-config.js';
import type { Logger } from '../platform/logging/logger.js';
import { VERSION } from '../platform/version.js';
import { loadCnsWeights, WeightsFileError, type WeightsFile } from '../runners/embedded/cns/load-weights.js';
import { createRemoteRunner, createRunner } from '../runners/runner.registry.js';
import type { Runner } from '../runners/runner.port.js';

/**
 * The engine inside this process. Nothing is started before its first job.
 * @returns null when settings want none
 * @throws Error when CNS_WEIGHTS names a file that does not hold the weights
 */
export async function createEmbeddedEngine(config: Config, logger: Logger): Promise<Runner | null> {
  if (!config.hasEmbeddedEngine) return null;
  const { FFMPEG_PATH, CNS_WEIGHTS, ENGINE_PICTURES_MAX_BYTES } = config.settings;
  return createRunner('embedded', {
    logger,
    processes: config.engineProcesses,
    threads: config.engineThreads,
    picturesMaxBytes: ENGINE_PICTURES_MAX_BYTES,
    version: VERSION,
    ...(FFMPEG_PATH === undefined ? {} : { ffmpegPath: FFMPEG_PATH }),
    ...(CNS_WEIGHTS === undefined ? {} : { cnsWeights: await checkWeights(CNS_WEIGHTS) }),
  });
}

/** Makes the client of a model server; tests put their own in its place by the name of the row. */
export type MakeRunner = (runner: RunnerIdentity) => Runner;

export function createRunnerMaker(config: Config, secrets: SecretBox, logger: Logger): MakeRunner {
  const { FFMPEG_PATH: ffmpegPath } = config.settings;
  return ({ id, name, kind, url, sealedToken, slots, models }) => {
    if (url === null) throw new Error(`The runner "${name}" has no address.`);
    return createRemoteRunner(kind, {
      name,
      url: new URL(url),
      slots: slots ?? UNTOLD_SLOTS,
      logger: logger.child({ runner: name }),
      ffmpegPath,
      ...(sealedToken === null ? {} : { token: secrets.open(sealedToken, id) }),
      ...(models === null ? {} : { models }),
    });
  };
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
