import type { Detector, DetectorName } from './detector.js';

/**
 * The port every inference engine is reached through. A runner is given files that lie on this machine and a
 * scratch path for its archive; what the bytes are stored in, who pays and which row it belongs to is not its concern.
 */

export const POLICIES = ['ibvs', 'cns'] as const;
export type Policy = (typeof POLICIES)[number];

/** Which processed frames get a correspondence picture in the archive. `sampled`: at most 100, spread evenly. */
export const VISUALIZE_MODES = ['none', 'sampled', 'all'] as const;
export type VisualizeMode = (typeof VISUALIZE_MODES)[number];

/** Pinhole camera, pixels; pixel centres are integers. */
export interface Intrinsics {
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

export interface RunParameters {
  /** First processed frame of the current video, zero-based. */
  startFrame: number;
  /** Last frame that may be processed, inclusive. */
  endFrame: number;
  frameStep: number;
  /** Frame of the goal video that shows the goal pose. */
  goalFrameId: number;
  detector: Detector;
  policy: Policy;
  useGpus: boolean;
  intrinsics: Intrinsics;
  /** Distance prior: metres from the goal camera to the scene. */
  distance: number;
  visualize: VisualizeMode;
}

/** The model that a job asks for. */
export interface RunModel {
  name: string;
  version: string;
  /** What the model's own schema adds to the parameters of every run; nothing for `cns`. */
  parameters: Readonly<Record<string, unknown>>;
}

/** What computes the velocities where nobody asks for another model: the engine of this product, and servers like it. */
export const CNS_MODEL: RunModel = { name: 'cns', version: '1', parameters: {} };

export interface RunInput {
  jobId: string;
  /** 1 for the first attempt. */
  attempt: number;
  /** Absolute paths of readable local files. */
  goalVideoPath: string;
  currentVideoPath: string;
  parameters: RunParameters;
  /** What is to compute the velocities. */
  model: RunModel;
  /** Absolute path the runner writes the ZIP to; its folder exists, the file does not. */
  archivePath: string;
  /** Frames per second of the current video; left out or null when nothing says. */
  frameRate?: number | null | undefined;
  /** What attempts before have finished; the run goes on behind it. Given only to a runner that has `checkpointKey`. */
  resume?: RunResume | undefined;
}

export interface RunProgress {
  /** Frames finished so far, and frames to process in all. */
  processed: number;
  total: number;
}

/** Why a frame got the zero velocity instead of a computed one. */
export const FRAME_PROBLEMS = [
  'blank-frame',
  'too-few-keypoints',
  'too-few-matches',
  'too-few-inliers',
  'degenerate-geometry',
  'unreadable-frame',
] as const;
export type FrameProblem = (typeof FRAME_PROBLEMS)[number];

export interface FrameReport {
  /** Index of the frame in the current video. */
  frame: number;
  /** Null, as the next two: the runner does not say. */
  keypoints: number | null;
  matches: number | null;
  inliers: number | null;
  /** RMS distance of the inliers from their goal positions, in pixels; null where there is none, or nobody says. */
  featureErrorPx: number | null;
  problem: FrameProblem | null;
}

export const ENERGY_METHODS = ['measured', 'estimated'] as const;
export type EnergyMethod = (typeof ENERGY_METHODS)[number];

/** What a runner says about the energy of a run, watt-hours; a part that it does not know is null. */
export interface EnergyReport {
  /** `measured`: every part that is given was read from a meter. */
  method: EnergyMethod;
  cpuWh: number | null;
  gpuWh: number | null;
  memoryWh: number | null;
  /** The meter or the formula in words, e.g. `RAPL package-0`. */
  source: string;
}

/** What one run consumed on the machine it ran on; not what the attempts before it did. */
export interface RunUsage {
  wallSeconds: number;
  /** Of all processes and threads together. */
  cpuSeconds: number;
  gpuSeconds: number;
  /** Resident memory over time, GiB × seconds; left out or null when nobody says. */
  memoryGibSeconds?: number | null | undefined;
  /** Null when only time is known. */
  energy: EnergyReport | null;
  /** Grams CO2e that a model server claims for the run; null when it claims nothing. */
  reportedCarbonGrams: number | null;
}

/** The most that a runner may keep of itself in a checkpoint, bytes. */
export const CHECKPOINT_STATE_BYTES = 1024 * 1024;

/** Rows of the result that are finished for good, and all that is needed to go on behind them. */
export interface RunCheckpoint {
  /** Place of the first of these rows: where the checkpoint before ended. */
  firstRow: number;
  /** Finished since the checkpoint before, at least one; as in the result. */
  velocity: number[][];
  frames: FrameReport[];
  /** What the runner has to remember of all frames so far, at most CHECKPOINT_STATE_BYTES; only it knows how to read it. */
  state: Uint8Array;
  /** A file with the pictures of these rows, which is the receiver's to keep and to remove; null when there are none. */
  picturesPath: string | null;
}

/** All checkpoints of a job, put together. */
export interface RunResume {
  velocity: number[][];
  frames: FrameReport[];
  state: Uint8Array;
  /** The files of pictures, in the order of the checkpoints. They are the caller's. */
  picturesPaths: string[];
}

/** Learned weights that velocities come from. */
export interface ModelIdentity {
  name: string;
  /** `sha256:` and the digest of the weights' file in hexadecimal digits. */
  digest: string;
}

export interface RunResult {
  /** One row per processed frame: [vx, vy, vz, wx, wy, wz] in m/s and rad/s, camera frame (x right, y down, z forward). */
  velocity: number[][];
  /** One report per row of `velocity`, in the same order. */
  frames: FrameReport[];
  /** Keypoints are null when the runner does not say. */
  goal: { frame: number; keypoints: number | null };
  device: 'cpu' | 'gpu';
  /** Null when the policy has learned nothing. */
  model: ModelIdentity | null;
  usage: RunUsage;
  message: string;
  /** Things the caller asked for that were done otherwise, in plain words (e.g. no GPU to be had). */
  warnings: string[];
}

export interface RunContext {
  /** Cancellation, deadline and shutdown alike: the runner stops within a second and rejects with RunnerCancelledError. */
  signal: AbortSignal;
  onProgress(progress: RunProgress): void;
  /**
   * Told of finished rows of `velocity`, in order and each once, before the progress that counts them. A runner whose
   * engine gives nothing away before its end does not call it.
   */
  onRows?(rows: readonly number[][]): void;
  /** Told now and then, in order and without gaps, of what need not be done again when this run does not end well. */
  onCheckpoint?(checkpoint: RunCheckpoint): void;
  /** Told now and then of what the run has consumed so far: that counts when it does not end well, too. */
  onUsage?(usage: RunUsage): void;
}

export const RUNNER_STATES = ['STARTING', 'READY', 'BUSY', 'UNHEALTHY', 'CLOSED'] as const;
export type RunnerState = (typeof RUNNER_STATES)[number];

export interface RunnerHealth {
  state: RunnerState;
  detail?: string;
}

export interface RunnerDescription {
  kind: string;
  name: string;
  version: string;
  /** What a detector may be made of. */
  detectors: readonly DetectorName[];
  /** Those that it has all it needs for, weights included. */
  policies: readonly Policy[];
  /** The weights behind the policies that have learned something. */
  models: Readonly<Partial<Record<Policy, ModelIdentity>>>;
  device: 'cpu' | 'gpu';
  /** Names of the models that it can run. */
  serves: readonly string[];
  /** Jobs it works on at the same time. */
  slots: number;
}

export interface Runner {
  readonly specVersion: 1;
  describe(): RunnerDescription;
  health(signal?: AbortSignal): Promise<RunnerHealth>;
  /**
   * What the numbers of a run depend on besides its input: version, decoder. A run may go on from a checkpoint that was
   * made under the same key; then its result is, but for the usage, that of a run from the start. What the key leaves out
   * (weights: a runner without them must not throw the work of others away) the runner tells from the state, and rejects
   * with RunnerCheckpointError. A runner without this method neither makes checkpoints nor goes on from them.
   */
  checkpointKey?(parameters: RunParameters): string;
  /**
   * @throws RunnerError, whose class says whether a retry can help and whose fault it is. After a rejection nothing
   * is left at `input.archivePath`.
   */
  run(input: RunInput, context: RunContext): Promise<RunResult>;
  /** Ends every process and frees every handle; safe to call twice. */
  close(): Promise<void>;
}
