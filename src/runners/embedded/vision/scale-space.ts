import type { KernelArena, KernelExports } from './kernel-module.js';

/** Exports of `kernels/sift.as.ts`; all addresses in bytes. */
export interface SiftKernel extends KernelExports {
  upscale(source: number, width: number, height: number, target: number): void;
  blur(
    source: number,
    target: number,
    width: number,
    height: number,
    kernel: number,
    radius: number,
    row: number,
    rows: number,
  ): void;
  decimate(source: number, sourceWidth: number, target: number, width: number, height: number): void;
  findExtrema(
    g0: number,
    g1: number,
    g2: number,
    g3: number,
    width: number,
    height: number,
    border: number,
    threshold: number,
    out: number,
    capacity: number,
  ): number;
  orientations(
    plane: number,
    width: number,
    height: number,
    x: number,
    y: number,
    scale: number,
    scratch: number,
    out: number,
  ): number;
  describe(
    plane: number,
    width: number,
    height: number,
    px: number,
    py: number,
    scale: number,
    angle: number,
    scratch: number,
    out: number,
  ): void;
}

export const LAYERS = 3;
export const SIGMA = 1.6;
/** Pixels at the edge of a plane that never hold a keypoint. */
export const BORDER = 5;
const GAUSSIANS = LAYERS + 3;
/** Blur that a camera image is assumed to have, in pixels of the original. */
const CAMERA_SIGMA = 0.5;
/** Vector loads may read this far beyond a plane. */
const SLACK_BYTES = 64;

/** The six Gaussian planes of one octave. Valid until the next octave is built: the memory is used again. */
export interface Octave {
  index: number;
  width: number;
  height: number;
  /** Byte addresses; plane i is blurred to SIGMA * 2^(i / LAYERS) pixels of this octave. */
  planes: number[];
  /** The same planes as arrays. */
  pixels: Float32Array[];
}

interface GaussianKernel {
  address: number;
  radius: number;
}

/**
 * Gaussian pyramid that starts at twice the frame's size. Only one octave is held at a time (about 100 bytes per pixel of
 * the frame), since every keypoint is finished within its octave.
 */
export class ScaleSpace {
  private readonly kernels: GaussianKernel[];
  private readonly framesMark: number;
  private layout: Layout | null = null;

  /** @param arena memory of the kernel; what is reserved later than this constructor's part is lost with each frame size */
  constructor(
    private readonly kernel: SiftKernel,
    private readonly arena: KernelArena,
  ) {
    this.kernels = incrementalSigmas().map((sigma) => this.placeGaussian(sigma));
    this.framesMark = this.arena.mark();
  }

  /** @throws RunnerInputError when the frame needs more memory than there is */
  *octaves(gray: Uint8Array, width: number, height: number): Generator<Octave> {
    const { source, planes, row, rows } = this.layoutFor(width, height);
    this.arena.bytes(source, gray.length).set(gray);
    let previousWidth = 0;
    let octaveWidth = width * 2;
    let octaveHeight = height * 2;
    const count = Math.round(Math.log2(Math.min(octaveWidth, octaveHeight)) - 2) + 1;
    for (let index = 0; index < count; index++) {
      if (Math.min(octaveWidth, octaveHeight) <= 2 * BORDER) return;
      const blur = (from: number, to: number, { address, radius }: GaussianKernel): void =>
        this.kernel.blur(from, to, octaveWidth, octaveHeight, address, radius, row, rows);
      if (index === 0) {
        this.kernel.upscale(source, width, height, planes[1]!);
        blur(planes[1]!, planes[0]!, this.kernels[0]!);
      } else {
        this.kernel.decimate(planes[LAYERS]!, previousWidth, planes[0]!, octaveWidth, octaveHeight);
      }
      for (let i = 1; i < GAUSSIANS; i++) blur(planes[i - 1]!, planes[i]!, this.kernels[i]!);
      const pixels = planes.map((plane) => this.arena.floats(plane, octaveWidth * octaveHeight));
      yield { index, width: octaveWidth, height: octaveHeight, planes, pixels };
      previousWidth = octaveWidth;
      octaveWidth >>= 1;
      octaveHeight >>= 1;
    }
  }

  /**
   * Pixel indices (row-major) where the difference of Gaussians of `layer` (1..LAYERS) is above `threshold` grey levels and
   * extreme among its 26 neighbours.
   */
  extrema({ planes, width, height }: Octave, layer: number, threshold: number): Int32Array {
    const { candidates, capacity } = this.currentLayout();
    const [g0, g1, g2, g3] = planes.slice(layer - 1, layer + 3) as [number, number, number, number];
    const found = this.kernel.findExtrema(g0, g1, g2, g3, width, height, BORDER, threshold, candidates, capacity);
    return this.arena.integers(candidates, Math.min(found, capacity));
  }

  private layoutFor(width: number, height: number): Layout {
    if (this.layout?.width === width && this.layout.height === height) return this.layout;
    this.layout = null;
    this.arena.rewind(this.framesMark);
    const planeBytes = width * 2 * height * 2 * 4 + SLACK_BYTES;
    const longestKernel = Math.max(...this.kernels.map(({ radius }) => radius));
    // No two extrema touch, equal neighbours aside: a quarter of the pixels is more than any frame yields.
    const capacity = width * height;
    const layout: Layout = {
      width,
      height,
      capacity,
      candidates: this.arena.reserve(capacity * 4),
      source: this.arena.reserve(width * height),
      row: this.arena.reserve((width * 2 + 2 * longestKernel) * 4 + SLACK_BYTES),
      rows: this.arena.reserve((2 * longestKernel + 2) * 4),
      planes: Array.from({ length: GAUSSIANS }, () => this.arena.reserve(planeBytes)),
    };
    this.layout = layout;
    return layout;
  }

  private currentLayout(): Layout {
    if (this.layout === null) throw new Error('An octave must be built before its extrema are searched');
    return this.layout;
  }

  private placeGaussian(sigma: number): GaussianKernel {
    const radius = ((Math.round(sigma * 8 + 1) | 1) - 1) / 2;
    const weights = Array.from({ length: radius + 1 }, (_, i) => Math.exp((-i * i) / (2 * sigma * sigma)));
    const total = weights.reduce((sum, weight, i) => sum + (i === 0 ? weight : 2 * weight), 0);
    const address = this.arena.reserve(weights.length * 4);
    this.arena.floats(address, weights.length).set(weights.map((weight) => weight / total));
    return { address, radius };
  }
}

interface Layout {
  width: number;
  height: number;
  source: number;
  row: number;
  rows: number;
  planes: number[];
  candidates: number;
  capacity: number;
}

/** Blur that turns each plane into the next one; the first turns the doubled camera image into plane 0. */
function incrementalSigmas(): number[] {
  const step = 2 ** (1 / LAYERS);
  const first = Math.sqrt(SIGMA ** 2 - (2 * CAMERA_SIGMA) ** 2);
  const rest = Array.from({ length: GAUSSIANS - 1 }, (_, i) => {
    const previous = SIGMA * step ** i;
    return Math.sqrt((previous * step) ** 2 - previous ** 2);
  });
  return [first, ...rest];
}
