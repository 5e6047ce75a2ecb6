import type { AkazeKernel } from './akaze-kernel.js';
import { FIRST_SIGMA, planLevels, type AkazeLevel } from './akaze-plan.js';
import { gaussianWeights } from './gaussian-weights.js';
import type { KernelArena } from './kernel-module.js';

/** Pixels around a plane that the kernels may touch. */
const MARGIN = 4;
/** Vector loads may read this far beyond a plane. */
const SLACK_BYTES = 64;
/** Radius of the blur with FIRST_SIGMA, as OpenCV chooses it. */
const FIRST_RADIUS = 4;
/** Blur before a gradient is taken, pixels. */
const GRADIENT_SIGMA = 1;
const GRADIENT_RADIUS = 2;
/** Share of the pixels with any gradient whose gradient counts as noise rather than as an edge. */
const CONTRAST_SHARE = 0.7;
/** Coarser octaves have lower contrast. */
const CONTRAST_PER_OCTAVE = 0.75;
const HISTOGRAM_BINS = 300;
/** Bytes per entry of the tables for uneven halving: a start index and four weights. */
const HALVING_BYTES = 20;
/** A source pixel that is covered less than this is left out, as OpenCV does. */
const LEAST_SHARE = 1e-3;

/** What is kept of a level until it is described; addresses of planes. */
export interface LevelPlanes {
  /** The diffused image. */
  image: number;
  /** Room for derivatives and the determinant of the Hessian. */
  alongX: number;
  alongY: number;
  determinant: number;
}

export interface BuiltLevel extends AkazeLevel {
  /** Floats from one row to the next. */
  pitch: number;
  planes: LevelPlanes;
  /** Plane of the smoothed image the derivatives are taken of; valid until the next level is asked for. */
  smooth: number;
}

/**
 * Nonlinear scale space of a frame. Only two levels are held at a time (about 45 bytes per pixel of the frame with all
 * scratch): a keypoint is final once the level above its own is known.
 */
export class NonlinearScaleSpace {
  private readonly firstBlur: number;
  private readonly gradientBlur: number;
  private readonly histogram: number;
  private readonly framesMark: number;
  private layout: Layout | null = null;

  /** @param arena memory of the kernel; what is reserved later than this constructor's part is lost with each frame size */
  constructor(
    private readonly kernel: AkazeKernel,
    private readonly arena: KernelArena,
  ) {
    this.firstBlur = this.placeWeights(FIRST_SIGMA, FIRST_RADIUS);
    this.gradientBlur = this.placeWeights(GRADIENT_SIGMA, GRADIENT_RADIUS);
    this.histogram = arena.reserve(HISTOGRAM_BINS * 4);
    this.framesMark = arena.mark();
  }

  /**
   * Makes room for frames of this size; the rest of the arena is lost.
   * @returns floats from one row of its finest level to the next
   * @throws RunnerInputError when the frame needs more memory than there is
   */
  prepare(width: number, height: number): number {
    this.layout = null;
    this.arena.rewind(this.framesMark);
    this.layout = this.makeLayout(width, height, planLevels(width, height));
    return pitchOf(width);
  }

  /**
   * Levels from fine to coarse, each valid until the one after the next is asked for; none when the frame is too small to
   * have keypoints. Call `prepare` first.
   */
  *build(gray: Uint8Array): Generator<BuiltLevel> {
    const layout = this.layout;
    if (layout === null) throw new Error('Room must be made for a frame before its levels are built');
    let contrast = 0;
    let below: BuiltLevel | null = null;
    for (const [index, level] of layout.levels.entries()) {
      const { kept, smooth } = layout;
      const built: BuiltLevel = { ...level, pitch: pitchOf(level.width), planes: kept[index % 2]!, smooth };
      if (below === null) {
        contrast = this.buildFirst(gray, built, layout);
      } else {
        if (level.octave > below.octave) contrast = Math.fround(contrast * CONTRAST_PER_OCTAVE);
        this.buildNext(below, built, contrast, layout);
      }
      yield built;
      below = built;
    }
  }

  /** @returns the contrast above which diffusion takes a gradient for an edge */
  private buildFirst(gray: Uint8Array, level: BuiltLevel, { source, smooth, line }: Layout): number {
    const { kernel } = this;
    const { width, height, pitch, planes } = level;
    this.arena.bytes(source, gray.length).set(gray);
    const frame = planes.alongX;
    kernel.toFloat(source, width, height, frame, pitch);
    kernel.blur(frame, smooth, width, height, pitch, this.gradientBlur, GRADIENT_RADIUS, line);
    const { determinant: scratch } = planes;
    const contrast = kernel.contrast(smooth, width, height, pitch, CONTRAST_SHARE, scratch, this.histogram);
    kernel.blur(frame, smooth, width, height, pitch, this.firstBlur, FIRST_RADIUS, line);
    const bytes = pitch * height * 4;
    this.arena.bytes(planes.image, bytes).set(this.arena.bytes(smooth, bytes));
    return contrast;
  }

  private buildNext(below: BuiltLevel, level: BuiltLevel, contrast: number, layout: Layout): void {
    const { kernel } = this;
    const { width, height, pitch, planes } = level;
    const { smooth, toRight, toBelow, line } = layout;
    const start = level.octave > below.octave ? this.halve(below, level, layout) : below.planes.image;
    kernel.blur(start, smooth, width, height, pitch, this.gradientBlur, GRADIENT_RADIUS, line);
    const inverse = Math.fround(1 / Math.fround(contrast * contrast));
    kernel.conductivity(smooth, toRight, toBelow, width, height, pitch, inverse, line);
    // To and fro between two planes, so that the last step ends in `image`.
    let from = start;
    for (const [step, time] of level.times.entries()) {
      const to = (level.times.length - step) % 2 === 1 ? planes.image : planes.alongX;
      kernel.diffuse(from, to, toRight, toBelow, width, height, pitch, Math.fround(time / 2), line);
      from = to;
    }
  }

  /** @returns the image of the level below at the size of `level`, in memory that is free until the derivatives */
  private halve(below: BuiltLevel, level: BuiltLevel, layout: Layout): number {
    const { width, height, pitch } = level;
    const target = level.planes.alongY;
    const source = below.planes.image;
    if (below.width === 2 * width && below.height === 2 * height) {
      this.kernel.halve(source, below.pitch, target, width, height, pitch);
    } else {
      this.placeHalving(layout.columns, below.width, width);
      this.placeHalving(layout.rows, below.height, height);
      this.kernel.halveUnevenly(source, below.pitch, target, width, height, pitch, layout.columns, layout.rows);
    }
    return target;
  }

  private makeLayout(width: number, height: number, levels: AkazeLevel[]): Layout {
    const pitch = pitchOf(width);
    const lineBytes = 2 * pitch * 4 + SLACK_BYTES;
    const planes: number[] = [];
    const plane = (): number => {
      // The margin above and below, and to the left of the first row.
      const bytes = (height + 2 * MARGIN) * pitch * 4 + SLACK_BYTES;
      const address = this.arena.reserve(bytes);
      planes.push(address);
      return address + (MARGIN * pitch + MARGIN) * 4;
    };
    const kept = (): LevelPlanes => ({ image: plane(), alongX: plane(), alongY: plane(), determinant: plane() });
    const layout: Layout = {
      levels,
      source: this.arena.reserve(width * height + SLACK_BYTES),
      line: this.arena.reserve(lineBytes),
      columns: this.arena.reserve(width * HALVING_BYTES),
      rows: this.arena.reserve(height * HALVING_BYTES),
      smooth: plane(),
      toRight: plane(),
      toBelow: plane(),
      kept: [kept(), kept()],
    };
    // Kernels may compute with what lies in the margins; it has no effect as long as it is finite.
    const end = this.arena.mark();
    this.arena.bytes(layout.line, end - layout.line).fill(0);
    return layout;
  }

  private placeWeights(sigma: number, radius: number): number {
    const weights = gaussianWeights(sigma, radius);
    const address = this.arena.reserve(weights.length * 4);
    this.arena.floats(address, weights.length).set(weights);
    return address;
  }

  /** Per target index, the first source index and the shares of four source pixels (cv::resize with INTER_AREA). */
  private placeHalving(address: number, source: number, target: number): void {
    const scale = source / target;
    for (let index = 0; index < target; index++) {
      const first = Math.floor(index * scale);
      const start = Math.min(first, source - 4);
      const end = Math.min((index + 1) * scale, source);
      const shares = [0, 1, 2, 3].map((k) => {
        const covered = Math.min(start + k + 1, end) - Math.max(start + k, index * scale);
        return covered > LEAST_SHARE ? covered / (end - index * scale) : 0;
      });
      this.arena.integers(address + index * HALVING_BYTES, 1)[0] = start;
      this.arena.floats(address + index * HALVING_BYTES + 4, 4).set(shares);
    }
  }
}

interface Layout {
  levels: AkazeLevel[];
  source: number;
  line: number;
  columns: number;
  rows: number;
  smooth: number;
  toRight: number;
  toBelow: number;
  kept: [LevelPlanes, LevelPlanes];
}

/** Floats from one row to the next: whole vectors, and the margin on either side. */
function pitchOf(width: number): number {
  return Math.ceil(width / 4) * 4 + 2 * MARGIN;
}
