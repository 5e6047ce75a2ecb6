import { openForm } from '../http-kit/multipart-form.js';
import type { OutgoingBody } from '../http-kit/outgoing-body.js';
import type { RunInput } from '../runner.port.js';

/** The device that every server of the contract has. */
const CPU = 'cpu';

/** What a server knows a job by: ours alone, and another with each attempt, so that a late one answers to nobody. */
export function serverJobId({ jobId, attempt }: Pick<RunInput, 'jobId' | 'attempt'>): string {
  return `${jobId}-${attempt}`;
}

/** @param gpu the name of the server's GPU; null when it has none */
export function requestedDevice({ useGpus }: RunInput['parameters'], gpu: string | null): string {
  return useGpus && gpu !== null ? gpu : CPU;
}

/**
 * The form of `POST /analyze`. Names and order are the contract's; what came later is optional there, and servers leave
 * alone what they do not know.
 *
 * @throws RunnerStorageError when a video is not there
 */
export function toAnalyzeForm(input: RunInput, gpu: string | null): Promise<OutgoingBody> {
  const { parameters, model, frameRate } = input;
  const { intrinsics } = parameters;
  const fields = {
    jobId: serverJobId(input),
    device: requestedDevice(parameters, gpu),
    detector: parameters.detector,
    goal_frame_idx: String(parameters.goalFrameId),
    frame_step: String(parameters.frameStep),
    start_frame: String(parameters.startFrame),
    end_frame: String(parameters.endFrame),
    policy: parameters.policy,
    intrinsics: JSON.stringify({ fx: intrinsics.fx, fy: intrinsics.fy, cx: intrinsics.cx, cy: intrinsics.cy }),
    distance: String(parameters.distance),
    visualize: parameters.visualize,
    frame_rate: frameRate === null || frameRate === undefined ? undefined : String(frameRate),
    model: model.name,
    parameters: Object.keys(model.parameters).length === 0 ? undefined : JSON.stringify(model.parameters),
  };
  // Decoders look into the file, but servers of the first version look at name and type as well, and save two files of
  // one name over each other.
  const video = (field: string, path: string) => ({
    field,
    path,
    filename: `${field}.mp4`,
    contentType: 'video/mp4',
  });
  return openForm(fields, [video('goal_video', input.goalVideoPath), video('current_video', input.currentVideoPath)]);
}
