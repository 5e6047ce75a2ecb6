import type { Logger } from '../../platform/logging/logger.js';
import type { RemoteLimits } from './remote-limits.js';

/** What every runner behind an address is made from. */
export interface RemoteRunnerOptions {
  /** As administrators and users know it; part of messages, so never a secret. */
  name: string;
  /** Base of all its paths. It may lead to a private network: model servers live there. */
  url: URL;
  /** Sent as bearer token with every call. */
  token?: string;
  /** Jobs it is given at the same time. */
  slots: number;
  logger: Logger;
  limits?: Partial<RemoteLimits>;
  /** Names of the models it can run, for a server that does not say; default: `cns`. */
  models?: readonly string[];
  /** A system ffmpeg, for kinds that decode the videos themselves; default: the bundled decoder. */
  ffmpegPath?: string | undefined;
}
