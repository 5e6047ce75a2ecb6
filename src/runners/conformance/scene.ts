import { copyFile, mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { DetectorName } from '../detector.js';
import { loadSample, type Sample } from '../servo-sample.js';
import type { RunInput, RunModel, RunnerDescription, RunParameters } from '../runner.port.js';

/** Fast ones first: most checks look at something else than the keypoints. */
const QUICK_FIRST: readonly DetectorName[] = ['ORB', 'BRISK', 'AKAZE', 'SIFT', 'KAZE'];
/** Precise ones first. On a server without a GPU they are slow as well, which leaves time to cancel. */
const PRECISE_FIRST: readonly DetectorName[] = ['SIFT', 'AKAZE', 'KAZE', 'BRISK', 'ORB'];
/** Takes long enough to send that a job can be stopped meanwhile; a sparse file, so the disk pays nothing. */
const PADDING_BYTES = 32 * 1024 * 1024;

export type JobWishes = Partial<Omit<RunInput, 'parameters'>> & { parameters?: Partial<RunParameters> };

/** The scene that comes with InferNode, as input for jobs: exact velocities of every frame are known. */
export class ConformanceScene {
  private constructor(
    readonly sample: Sample,
    /** Scratch folder of the suite: every archive is written into it. */
    readonly folder: string,
    private readonly model: RunModel,
    private readonly files: { padded: string; text: string },
    private readonly describe: () => RunnerDescription,
  ) {}

  /**
   * @param folder exists and is empty
   * @param describe asked for each job: a remote runner learns what its server offers while it is used
   */
  static async prepare(folder: string, model: RunModel, describe: () => RunnerDescription): Promise<ConformanceScene> {
    const sample = await loadSample();
    const videos = join(folder, 'videos');
    await mkdir(videos);
    const files = { padded: join(videos, 'padded.mp4'), text: join(videos, 'no-video.mp4') };
    await pad(sample.currentPath, files.padded);
    await writeFile(files.text, 'This is a text and no video.\n'.repeat(100));
    return new ConformanceScene(sample, folder, model, files, describe);
  }

  get modelName(): string {
    return this.model.name;
  }

  get quickDetector(): DetectorName {
    return firstOffered(QUICK_FIRST, this.describe());
  }

  get preciseDetector(): DetectorName {
    return firstOffered(PRECISE_FIRST, this.describe());
  }

  /** Three frames, unless told otherwise: 0, 5 and 10. */
  job(wishes: JobWishes = {}): RunInput {
    const { sample } = this;
    const jobId = wishes.jobId ?? crypto.randomUUID();
    return {
      attempt: 1,
      frameRate: 30,
      goalVideoPath: sample.goalPath,
      currentVideoPath: sample.currentPath,
      archivePath: join(this.folder, `${jobId}-${wishes.attempt ?? 1}.zip`),
      model: this.model,
      ...wishes,
      jobId,
      parameters: {
        startFrame: 0,
        endFrame: 10,
        frameStep: 5,
        goalFrameId: sample.goalFrame,
        detector: this.quickDetector,
        policy: this.describe().policies.includes('ibvs') ? 'ibvs' : 'cns',
        useGpus: this.describe().device === 'gpu',
        intrinsics: sample.intrinsics,
        distance: sample.distance,
        visualize: 'none',
        ...wishes.parameters,
      },
    };
  }

  /** Every frame of the video with the slowest detector. */
  longJob(): RunInput {
    const endFrame = this.sample.currentFrames - 1;
    return this.job({ parameters: { endFrame, frameStep: 1, detector: this.preciseDetector } });
  }

  /** A long job that is long in sending, too. */
  heavyJob(): RunInput {
    return { ...this.longJob(), currentVideoPath: this.files.padded };
  }

  /** A job whose current video is none. */
  textJob(): RunInput {
    return this.job({ currentVideoPath: this.files.text });
  }
}

function firstOffered(wanted: readonly DetectorName[], { detectors }: RunnerDescription): DetectorName {
  return wanted.find((name) => detectors.includes(name)) ?? wanted[0];
}

/** Appends a box of the type `free`, which players of MP4 pass over (ISO/IEC 14496-12, 8.1.2). */
async function pad(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const { size } = await stat(to);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(PADDING_BYTES, 0);
  head.write('free', 4, 'latin1');
  const file = await open(to, 'r+');
  try {
    await file.write(head, 0, head.length, size);
    await file.truncate(size + PADDING_BYTES);
  } finally {
    await file.close();
  }
}
