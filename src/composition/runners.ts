import type { Config } from '../platform/config/load-config.js';
import type { Logger } from '../platform/logging/logger.js';
import { VERSION } from '../platform/version.js';
import { createRunner } from '../runners/runner.registry.js';
import type { Runner } from '../runners/runner.port.js';

/** The runner of this installation. Nothing is started before its first job. */
export function createDefaultRunner(config: Config, logger: Logger): Runner {
  return createRunner('embedded', {
    logger,
    processes: config.engineProcesses,
    version: VERSION,
    ...(config.settings.FFMPEG_PATH === undefined ? {} : { ffmpegPath: config.settings.FFMPEG_PATH }),
  });
}
