import { RunnerCheckpointError } from '../runner.errors.js';
import type { FrameReport, RunParameters, RunResume } from '../runner.port.js';
import { countFrames } from './frame-plan.js';

/** Rows of the result, in frame order, one for every frame that was asked for. */
export class FrameLog {
  readonly velocity: number[][];
  readonly frames: FrameReport[];
  readonly warnings: string[] = [];
  readonly total: number;

  /**
   * @param before rows that are finished already
   * @throws RunnerCheckpointError when they are not the first ones of this job
   */
  constructor(
    private readonly parameters: RunParameters,
    private readonly onRow: (velocity: number[]) => void,
    before: Pick<RunResume, 'velocity' | 'frames'> = { velocity: [], frames: [] },
  ) {
    this.total = countFrames(parameters);
    this.velocity = [...before.velocity];
    this.frames = [...before.frames];
    const isBeginning = this.velocity.length === this.frames.length && this.frames.length <= this.total;
    if (!isBeginning || this.frames.some(({ frame }, row) => frame !== this.frameOf(row))) {
      throw new RunnerCheckpointError('The rows of the attempts before are not those of this job.');
    }
  }

  get processed(): number {
    return this.frames.length;
  }

  get isComplete(): boolean {
    return this.processed === this.total;
  }

  /** The frame of the next row. */
  get nextFrame(): number {
    return this.frameOf(this.processed);
  }

  /** Whether any frame could be read. */
  get hasSeenAnything(): boolean {
    return this.frames.some(({ problem }) => problem !== 'unreadable-frame');
  }

  /**
   * The next row, of a frame that is neither before nor behind its turn.
   * @returns its position among the processed ones
   */
  add(velocity: readonly number[], report: FrameReport): number {
    // Adding zero turns -0 into 0, which reads better in every text format.
    this.addRow(velocity.map((value) => value + 0));
    this.frames.push(report);
    return this.frames.length - 1;
  }

  /** Fills the rows of frames the decoder passed over. */
  addUnreadableBefore(frame: number): void {
    while (!this.isComplete && this.nextFrame < frame) {
      const nothing = { keypoints: 0, matches: 0, inliers: 0, featureErrorPx: null };
      const report = { frame: this.nextFrame, ...nothing, problem: 'unreadable-frame' as const };
      this.addRow([0, 0, 0, 0, 0, 0]);
      this.frames.push(report);
    }
  }

  /** @param where what the frames were worked on by, in a word or two */
  summary(where: string): string {
    const useful = this.frames.filter(({ problem }) => problem === null).length;
    const { detector } = this.parameters;
    return `${useful} of ${this.total} frames gave a velocity (${detector}, ${where}).`;
  }

  private addRow(velocity: number[]): void {
    this.velocity.push(velocity);
    this.onRow(velocity);
  }

  private frameOf(row: number): number {
    const { startFrame, frameStep } = this.parameters;
    return startFrame + row * frameStep;
  }
}
