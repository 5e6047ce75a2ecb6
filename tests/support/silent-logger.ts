import type { Logger } from '../../src/platform/logging/logger.js';

/** Swallows everything: for tests that are not about log lines. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
