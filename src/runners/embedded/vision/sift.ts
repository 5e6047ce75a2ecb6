import type { FeatureDetector, Features } from './features.js';
import { KernelArena, loadKernel } from './kernel-module.js';
import { CONTRAST_THRESHOLD, refineExtremum, type Extremum } from './refine-extremum.js';
import { LAYERS, ScaleSpace, type Octave, type SiftKernel } from './scale-space.js';
import { MAXIMUM_KEYPOINTS, strongest } from './strongest.js';

/** Extrema weaker than this (grey levels) cannot pass the contrast test after refinement. */
const SCAN_THRESHOLD = Math.floor(((0.5 * CONTRAST_THRESHOLD) / LAYERS) * 255);
const DESCRIPTOR_LENGTH = 128;
const MAXIMUM_ORIENTATIONS = 36;
const SCRATCH_BYTES = 8192;

/** A keypoint in the coordinates of OpenCV's `cv::KeyPoint`. */
export interface SiftKeypoint {
  x: number;
  y: number;
  /** Diameter of the meaningful neighbourhood, pixels. */
  size: number;
  /** Degrees, as OpenCV counts them. */
  angle: number;
  response: number;
}

export interface SiftResult {
  keypoints: SiftKeypoint[];
  descriptors: Int16Array;
}

interface DescribedKeypoint extends SiftKeypoint {
  descriptor: Int16Array;
}

/**
 * Scale-invariant keypoints (Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004), equal to those
 * of OpenCV 4.x's `SIFT_create()` with default parameters, without its duplicates and in its sorted order.
 */
export class SiftDetector implements FeatureDetector {
  /** @throws Error when the kernel is not built */
  static async create(): Promise<SiftDetector> {
    return new SiftDetector(await loadKernel<SiftKernel>('sift'));
  }

  private readonly arena: KernelArena;
  private readonly space: ScaleSpace;
  private readonly scratch: number;
  private readonly angles: number;
  private readonly descriptor: number;

  private constructor(private readonly kernel: SiftKernel) {
    this.arena = new KernelArena(kernel);
    this.scratch = this.arena.reserve(SCRATCH_BYTES);
    this.angles = this.arena.reserve(MAXIMUM_ORIENTATIONS * 4);
    this.descriptor = this.arena.reserve(DESCRIPTOR_LENGTH * 2);
    this.space = new ScaleSpace(kernel, this.arena);
  }

  detect(gray: Uint8Array, width: number, height: number): Features {
    const { keypoints, descriptors } = this.detectKeypoints(gray, width, height);
    // OpenCV's doubling puts every keypoint a quarter of a pixel to the right of and below what it shows.
    const points = Float32Array.from(keypoints.flatMap(({ x, y }) => [x - 0.25, y - 0.25]));
    return {
      count: keypoints.length,
      points,
      descriptors: { metric: 'euclidean', length: DESCRIPTOR_LENGTH, values: descriptors },
    };
  }

  /** Keypoints as OpenCV reports them; descriptor i lies at 128 * i. */
  detectKeypoints(gray: Uint8Array, width: number, height: number): SiftResult {
    const found: DescribedKeypoint[] = [];
    for (const octave of this.space.octaves(gray, width, height)) {
      for (const extremum of strongest(this.octaveExtrema(octave), MAXIMUM_KEYPOINTS)) {
        for (const angle of this.orientations(octave, extremum)) found.push(this.describe(octave, extremum, angle));
      }
    }
    const kept = strongest(found, MAXIMUM_KEYPOINTS).sort(openCvOrder);
    const descriptors = new Int16Array(kept.length * DESCRIPTOR_LENGTH);
    kept.forEach((keypoint, i) => descriptors.set(keypoint.descriptor, i * DESCRIPTOR_LENGTH));
    return { keypoints: kept, descriptors };
  }

  dispose(): void {
    // The kernel's memory goes with this object.
  }

  /** Refined extrema of one octave, each once: several pixels may be refined to the same place. */
  private octaveExtrema(octave: Octave): Extremum[] {
    const unique = new Map<number, Extremum>();
    for (let layer = 1; layer <= LAYERS; layer++) {
      for (const pixel of this.space.extrema(octave, layer, SCAN_THRESHOLD)) {
        const extremum = refineExtremum(octave, layer, pixel % octave.width, Math.floor(pixel / octave.width));
        if (extremum === null) continue;
        const place = (extremum.layer * octave.height + extremum.row) * octave.width + extremum.column;
        unique.set(place, extremum);
      }
    }
    return [...unique.values()];
  }

  private orientations(octave: Octave, { layer, column, row, scale }: Extremum): number[] {
    const { planes, width, height } = octave;
    const plane = planes[layer]!;
    const count = this.kernel.orientations(plane, width, height, column, row, scale, this.scratch, this.angles);
    return [...this.arena.floats(this.angles, count)];
  }

  private describe(octave: Octave, extremum: Extremum, angle: number): DescribedKeypoint {
    const { planes, width, height } = octave;
    const { x, y, scale, layer } = extremum;
    this.kernel.describe(planes[layer]!, width, height, x, y, scale, angle, this.scratch, this.descriptor);
    const pixelsPerStep = 2 ** (octave.index - 1);
    return {
      x: Math.fround(x * pixelsPerStep),
      y: Math.fround(y * pixelsPerStep),
      size: scale * 2 * pixelsPerStep,
      angle: angle === 0 ? 0 : 360 - angle,
      response: extremum.response,
      descriptor: this.arena.shorts(this.descriptor, DESCRIPTOR_LENGTH).slice(),
    };
  }
}

/** Order of `cv::KeyPointsFilter::removeDuplicatedSorted`. */
function openCvOrder(a: SiftKeypoint, b: SiftKeypoint): number {
  return a.x - b.x || a.y - b.y || b.size - a.size || a.angle - b.angle || b.response - a.response;
}
