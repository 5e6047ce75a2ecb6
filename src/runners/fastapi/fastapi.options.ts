import type { DetectorName } from '../detector.js';
import type { RemoteRunnerOptions } from '../http-kit/remote-options.js';
import type { Policy } from '../runner.port.js';

/** A server of the FastAPI contract. What it can do it says itself, unless it is one of the first version. */
export interface FastApiRunnerOptions extends RemoteRunnerOptions {
  /** What a server without `/capabilities` finds keypoints with; default: SIFT, ORB and AKAZE. */
  detectors?: readonly DetectorName[];
  /** The policies that a server without `/capabilities` is taken to have; default: all. */
  policies?: readonly Policy[];
}
