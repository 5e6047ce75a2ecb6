import { loadSample } from '../../../src/runners/servo-sample.js';
import type { ServerJob } from './fastapi-jobs.js';
import { startFastApiServer, type FastApiServer, type FastApiServerOptions } from './fastapi-server.js';
import type { ServerFault } from './server-faults.js';

/** Bytes below which no video of the conformance scene is. */
const SMALLEST_VIDEO = 10_000;

/**
 * A scripted server that passes the conformance suite: it says what is true of the suite's scene, and refuses what cannot
 * be worked on.
 *
 * @param faultOf what is wrong with it all the same
 */
export async function startConformingServer(
  options: FastApiServerOptions = {},
  faultOf: (job: ServerJob) => ServerFault | undefined = () => undefined,
): Promise<FastApiServer> {
  const { truth, goalFrames } = await loadSample();
  return startFastApiServer({
    msPerFrame: 10,
    velocity: (frame) => truth[frame],
    fault: (job) => {
      const isUsable =
        Number(job.fields['goal_frame_idx']) < goalFrames &&
        Object.values(job.files).every(({ bytes }) => bytes >= SMALLEST_VIDEO);
      return isUsable ? faultOf(job) : 'unusable-input';
    },
    ...options,
  });
}
