import type { FeatureDetector, Features } from './features.js';
import { KernelArena, loadKernel } from './kernel-module.js';
import { ScaleSpace, type Octave } from './scale-space.js';
import type { SiftKernel } from './sift-kernel.js';
import { KeypointTable, type SiftKeypoints } from './sift-keypoints.js';
import { MAXIMUM_KEYPOINTS, strongestOf } from './strongest.js';

const DESCRIPTOR_LENGTH = 128;
const MAXIMUM_ORIENTATIONS = 36;
const SCRATCH_BYTES = 16_384;

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
    const { count, x, y, descriptors } = this.detectKeypoints(gray, width, height);
    // OpenCV keeps the quarter pixel that doubling with aligned centres moves everything by.
    const points = new Float32Array(2 * count);
    for (let i = 0; i < count; i++) {
      points[2 * i] = x[i]! - 0.25;
      points[2 * i + 1] = y[i]! - 0.25;
    }
    return { count, points, descriptors: { metric: 'euclidean', length: DESCRIPTOR_LENGTH, values: descriptors } };
  }

  /** Keypoints as OpenCV reports them; descriptor i lies at 128 * i. */
  detectKeypoints(gray: Uint8Array, width: number, height: number): SiftKeypoints {
    const found = new KeypointTable(DESCRIPTOR_LENGTH);
    for (const octave of this.space.octaves(gray, width, height)) this.describeOctave(octave, found);
    return found.strongest(MAXIMUM_KEYPOINTS);
  }

  dispose(): void {
    // The kernel's memory goes with this object.
  }

  private describeOctave(octave: Octave, found: KeypointTable): void {
    const { kernel, scratch, angles, descriptor } = this;
    const { planes, width, height, extrema } = octave;
    const pixelsPerStep = 2 ** (octave.index - 1);
    const directions = this.arena.floats(angles, MAXIMUM_ORIENTATIONS);
    const description = this.arena.shorts(descriptor, DESCRIPTOR_LENGTH);
    for (const i of strongestExtrema(octave)) {
      const [x, y, scale, plane] = [extrema.x(i), extrema.y(i), extrema.scale(i), planes[extrema.layer(i)]!];
      const [row, column] = [extrema.row(i), extrema.column(i)];
      const count = kernel.orientations(plane, width, height, column, row, scale, scratch, angles);
      for (let k = 0; k < count; k++) {
        const angle = directions[k]!;
        kernel.describe(plane, width, height, x, y, scale, angle, scratch, descriptor);
        found.add(
          x * pixelsPerStep,
          y * pixelsPerStep,
          scale * 2 * pixelsPerStep,
          angle === 0 ? 0 : 360 - angle,
          extrema.response(i),
          description,
        );
      }
    }
  }
}

/** The strongest extrema of an octave, each once: several pixels may be refined to the same place. */
function strongestExtrema({ extrema, width, height }: Octave): number[] {
  const places = new Set<number>();
  const once: number[] = [];
  for (let i = 0; i < extrema.count; i++) {
    const place = (extrema.layer(i) * height + extrema.row(i)) * width + extrema.column(i);
    if (places.has(place)) continue;
    places.add(place);
    once.push(i);
  }
  return strongestOf(once, (i) => extrema.response(i), MAXIMUM_KEYPOINTS);
}
