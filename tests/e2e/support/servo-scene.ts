import { loadGoldenCase, type GoldenCaseFiles } from '../../support/golden-case.js';
import type { ApiUser, JobParameters } from './api-user.js';

/** A golden case as a dataset of a user: the goal video, then the current one. */
export interface ServoScene extends GoldenCaseFiles {
  datasetId: string;
}

export async function uploadScene(user: ApiUser, name: string): Promise<ServoScene> {
  const files = await loadGoldenCase(name);
  const datasetId = await user.createDataset(name);
  await user.upload(datasetId, files.goalVideoPath);
  await user.upload(datasetId, files.currentVideoPath);
  return { ...files, datasetId };
}

/** All frames of the scene, with its camera, without pictures. */
export function parametersOf(scene: ServoScene, changes: Partial<JobParameters> = {}): JobParameters {
  return {
    startFrame: 0,
    endFrame: scene.currentFrameCount - 1,
    frameStep: 1,
    goalFrameId: scene.goalFrame,
    detector: 'SIFT',
    useGpus: false,
    intrinsics: scene.intrinsics,
    distance: scene.distance,
    visualize: 'none',
    ...changes,
  };
}

/** A job of some seconds, to do something to it meanwhile; it costs 60 / INFERENCE_FRAMES_PER_CREDIT. */
export async function submitLongJob(user: ApiUser, scene: ServoScene): Promise<string> {
  // Far more to look at than one detector finds: the job has to outlast a third of a short shutdown timeout.
  const detector = 'SIFT:0123+AKAZE:0123+BRISK:0123';
  const [jobId] = await user.submit(scene.datasetId, parametersOf(scene, { detector }));
  return jobId;
}
