import { gaussianWeights } from './gaussian-weights.js';
import type { KernelArena } from './kernel-module.js';
import type { SiftKernel } from './sift-kernel.js';

const LAYERS = 3;
const SIGMA = 1.6;
/** Pixels at the edge of a plane that never hold a keypoint. */
const BORDER = 5;
/** Blur that a camera image is assumed to have, in pixels of the original. */
const CAMERA_SIGMA = 0.5;
const CONTRAST_THRESHOLD = 0.04;
/** Extrema weaker than this (grey levels) cannot pass the contrast test after refinement. */
const SCAN_THRESHOLD = Math.floor(((0.5 * CONTRAST_THRESHOLD) / LAYERS) * 255);

/** Planes that are made as a whole; the last of an octave's six Gaussians is made only around candidates. */
const PLANES = LAYERS + 2;
const FILTER_BYTES = 64;
const FILTERS = LAYERS + 3;
const LONGEST_RADIUS = 13;
const HEADER_WORDS = 8;
const CUBE_BYTES = 144;
const CANDIDATE_BYTES = 8;
const RECORD_WORDS = 8;
/** Vector loads and stores may go this far beyond a plane. */
const SLACK_BYTES = 64;

/** The Gaussian planes of one octave and what was found in it. Valid until the next octave is built. */
export interface Octave {
  index: number;
  width: number;
  height: number;
  /** Byte addresses; plane i is blurred to SIGMA * 2^(i / LAYERS) pixels of this octave. */
  planes: readonly number[];
  extrema: Extrema;
}

/**
 * Extrema of the difference of Gaussians, located to a fraction of a pixel; one after another in the kernel's memory.
 * Several candidates may have led to the same one.
 */
export class Extrema {
  constructor(
    readonly count: number,
    private readonly floats: Float32Array,
    private readonly integers: Int32Array,
  ) {}

  /** Position in the octave's planes. */
  x(i: number): number {
    return this.floats[RECORD_WORDS * i]!;
  }

  y(i: number): number {
    return this.floats[RECORD_WORDS * i + 1]!;
  }

  /** Blur in pixels of the octave. */
  scale(i: number): number {
    return this.floats[RECORD_WORDS * i + 2]!;
  }

  /** Contrast, grey range 0..1. */
  response(i: number): number {
    return this.floats[RECORD_WORDS * i + 3]!;
  }

  layer(i: number): number {
    return this.integers[RECORD_WORDS * i + 4]!;
  }

  row(i: number): number {
    return this.integers[RECORD_WORDS * i + 5]!;
  }

  column(i: number): number {
    return this.integers[RECORD_WORDS * i + 6]!;
  }
}

/**
 * Gaussian pyramid that starts at twice the frame's size. Only one octave is held at a time (about 90 bytes per pixel of
 * the frame), since every keypoint is finished within its octave.
 */
export class ScaleSpace {
  private readonly filters: number;
  private readonly framesMark: number;
  private layout: Layout | null = null;

  /** @param arena memory of the kernel; what is reserved later than this constructor's part is lost with each frame size */
  constructor(
    private readonly kernel: SiftKernel,
    private readonly arena: KernelArena,
  ) {
    this.filters = this.arena.reserve(FILTERS * FILTER_BYTES);
    incrementalSigmas().forEach((sigma, i) => this.placeGaussian(this.filters + i * FILTER_BYTES, sigma));
    this.framesMark = this.arena.mark();
  }

  /** @throws RunnerInputError when the frame needs more memory than there is */
  *octaves(gray: Uint8Array, width: number, height: number): Generator<Octave> {
    const layout = this.layoutFor(width, height);
    this.arena.bytes(layout.source, gray.length).set(gray);
    let previousWidth = 0;
    let octaveWidth = width * 2;
    let octaveHeight = height * 2;
    const count = Math.round(Math.log2(Math.min(octaveWidth, octaveHeight)) - 2) + 1;
    for (let index = 0; index < count; index++) {
      if (Math.min(octaveWidth, octaveHeight) <= 2 * BORDER) return;
      const { header, planes } = layout;
      this.arena.integers(header, 2).set([octaveWidth, octaveHeight]);
      const extrema = this.build(layout, previousWidth);
      yield { index, width: octaveWidth, height: octaveHeight, planes, extrema };
      previousWidth = octaveWidth;
      octaveWidth >>= 1;
      octaveHeight >>= 1;
    }
  }

  /** @param previousWidth of the octave that the planes still hold; 0 for the first octave */
  private build(layout: Layout, previousWidth: number): Extrema {
    const { header, source, candidates, candidateCapacity, records, recordCapacity } = layout;
    const { kernel, filters } = this;
    const found =
      previousWidth === 0
        ? kernel.buildFirstOctave(header, source, filters, SCAN_THRESHOLD, candidates, candidateCapacity)
        : kernel.buildNextOctave(header, previousWidth, filters, SCAN_THRESHOLD, candidates, candidateCapacity);
    const count = kernel.refineAll(header, candidates, found, CONTRAST_THRESHOLD, records, recordCapacity);
    const words = count * RECORD_WORDS;
    return new Extrema(count, this.arena.floats(records, words), this.arena.integers(records, words));
  }

  private layoutFor(width: number, height: number): Layout {
    if (this.layout?.width === width && this.layout.height === height) return this.layout;
    this.layout = null;
    this.arena.rewind(this.framesMark);
    const pixels = width * height;
    const stride = Math.ceil((pixels * 4 * 4 + SLACK_BYTES) / 16) * 16;
    // Far more than any frame yields: no two extrema touch, equal neighbours aside, and few last through refinement.
    const candidateCapacity = Math.ceil(pixels / 2);
    const recordCapacity = Math.ceil(pixels / 8);
    const margin = (LONGEST_RADIUS + 4) * 4;
    const header = this.arena.reserve(HEADER_WORDS * 4);
    const source = this.arena.reserve(pixels);
    const line = this.arena.reserve(width * 2 * 4 + 2 * margin) + margin;
    const rows = this.arena.reserve((2 * LONGEST_RADIUS + 2) * 4);
    const cube = this.arena.reserve(CUBE_BYTES);
    const candidates = this.arena.reserve(candidateCapacity * CANDIDATE_BYTES);
    const records = this.arena.reserve(recordCapacity * RECORD_WORDS * 4);
    const first = this.arena.reserve(PLANES * stride);
    const planes = Array.from({ length: PLANES }, (_, i) => first + i * stride);
    const lastFilter = this.filters + (FILTERS - 1) * FILTER_BYTES;
    // The fields of the kernel's class Octave; width and height change with each octave.
    this.arena.integers(header, HEADER_WORDS).set([0, 0, first, stride, lastFilter, line, rows, cube]);
    this.layout = {
      width,
      height,
      header,
      source,
      planes,
      candidates,
      candidateCapacity,
      records,
      recordCapacity,
    };
    return this.layout;
  }

  private placeGaussian(address: number, sigma: number): void {
    const radius = ((Math.round(sigma * 8 + 1) | 1) - 1) / 2;
    const weights = gaussianWeights(sigma, radius);
    this.arena.integers(address, 1)[0] = radius;
    this.arena.floats(address + 4, weights.length).set(weights);
  }
}

interface Layout {
  width: number;
  height: number;
  header: number;
  source: number;
  planes: readonly number[];
  candidates: number;
  candidateCapacity: number;
  records: number;
  recordCapacity: number;
}

/** Blur that turns each plane into the next one; the first turns the doubled camera image into plane 0. */
function incrementalSigmas(): number[] {
  const step = 2 ** (1 / LAYERS);
  const first = Math.sqrt(SIGMA ** 2 - (2 * CAMERA_SIGMA) ** 2);
  const rest = Array.from({ length: FILTERS - 1 }, (_, i) => {
    const previous = SIGMA * step ** i;
    return Math.sqrt((previous * step) ** 2 - previous ** 2);
  });
  return [first, ...rest];
}
