import type { AkazeKernel } from './akaze-kernel.js';
import { NonlinearScaleSpace, type BuiltLevel } from './akaze-space.js';
import type { FeatureDetector, Features } from './features.js';
import { KernelArena, loadKernel } from './kernel-module.js';
import { MAXIMUM_KEYPOINTS, strongest } from './strongest.js';

/** Least determinant of the Hessian (grey range 0..1) that makes a keypoint. */
const THRESHOLD = 0.001;
/** 486 bits, padded with zeros. */
const DESCRIPTOR_BYTES = 64;
/** Fields of a keypoint as the kernel writes it: x, y, response, angle. */
const KEYPOINT_FLOATS = 4;
/** Bytes of a maximum in a level's list: pixel index and determinant. */
const MAXIMUM_BYTES = 8;
const SCRATCH_BYTES = 10_240;
/** In a level's map: gave way to a stronger one. */
const BEATEN = 2;

/** Keypoints by level from fine to coarse and by rows within a level: the order of OpenCV. */
export interface AkazeResult {
  count: number;
  /** x, y in pixels of the frame, response, direction in degrees (y down): four values per keypoint. */
  keypoints: Float32Array;
  /** Index of the level each keypoint was found on, `class_id` of OpenCV. */
  levels: Uint8Array;
  /** Descriptor i, 486 bits, lies at 64 * i. */
  descriptors: Uint8Array;
}

/** A level with its maxima, in the kernel's memory. */
interface Searched extends BuiltLevel {
  index: number;
  map: number;
  list: number;
  count: number;
}

/**
 * Keypoints of a nonlinear scale space with binary descriptors (Alcantarilla, Nuevo, Bartoli, "Fast explicit diffusion for
 * accelerated features in nonlinear scale spaces", BMVC 2013), equal to those of OpenCV 4.x's `AKAZE_create()` with default
 * parameters.
 */
export class AkazeDetector implements FeatureDetector {
  /** @throws Error when the kernel is not built */
  static async create(): Promise<AkazeDetector> {
    return new AkazeDetector(await loadKernel<AkazeKernel>('akaze'));
  }

  private readonly arena: KernelArena;
  private readonly space: NonlinearScaleSpace;
  private readonly scratch: number;
  private readonly keypoints: number;
  private readonly descriptors: number;
  private room: Room | null = null;

  private constructor(private readonly kernel: AkazeKernel) {
    this.arena = new KernelArena(kernel);
    this.scratch = this.arena.reserve(SCRATCH_BYTES);
    this.keypoints = this.arena.reserve(MAXIMUM_KEYPOINTS * KEYPOINT_FLOATS * 4);
    this.descriptors = this.arena.reserve(MAXIMUM_KEYPOINTS * DESCRIPTOR_BYTES);
    this.space = new NonlinearScaleSpace(kernel, this.arena);
  }

  detect(gray: Uint8Array, width: number, height: number): Features {
    const { count, keypoints, descriptors } = this.detectKeypoints(gray, width, height);
    const points = new Float32Array(2 * count);
    for (let i = 0; i < count; i++) {
      points[2 * i] = keypoints[KEYPOINT_FLOATS * i]!;
      points[2 * i + 1] = keypoints[KEYPOINT_FLOATS * i + 1]!;
    }
    return { count, points, descriptors: { metric: 'hamming', length: DESCRIPTOR_BYTES, values: descriptors } };
  }

  /** The strongest MAXIMUM_KEYPOINTS keypoints, as OpenCV reports them. */
  detectKeypoints(gray: Uint8Array, width: number, height: number): AkazeResult {
    const found: AkazeResult[] = [];
    for (const level of this.finalLevels(gray, width, height)) found.push(this.describe(level));
    const all = concatenate(found);
    return all.count > MAXIMUM_KEYPOINTS ? strongestOf(all) : all;
  }

  dispose(): void {
    // The kernel's memory goes with this object.
  }

  /** Levels whose maxima no other level can beat any more. */
  private *finalLevels(gray: Uint8Array, width: number, height: number): Generator<Searched> {
    const room = this.roomFor(width, height);
    let before: Searched | null = null;
    let last: Searched | null = null;
    let index = 0;
    for (const built of this.space.build(gray)) {
      const level = this.search(built, index, room);
      if (last !== null) {
        this.suppressBelow(level, last);
        if (before !== null) this.suppressAbove(before, last);
        yield last;
      }
      before = last;
      last = level;
      index++;
    }
    if (last === null) return;
    if (before !== null) this.suppressAbove(before, last);
    yield last;
  }

  private search(level: BuiltLevel, index: number, { maps, lists }: Room): Searched {
    const { width, height, pitch, border, step, planes, smooth } = level;
    const map = maps[index % maps.length]!;
    const list = lists[index % lists.length]!;
    this.arena.bytes(map, pitch * height).fill(0);
    const { alongX, alongY, determinant } = planes;
    const count = this.kernel.findMaxima(
      smooth,
      alongX,
      alongY,
      determinant,
      width,
      height,
      pitch,
      step,
      border,
      THRESHOLD,
      map,
      list,
    );
    return { ...level, index, map, list, count };
  }

  private suppressBelow(level: Searched, below: Searched): void {
    const { list, count, map, pitch, step } = level;
    const ratio = level.ratio / below.ratio;
    const plane = below.planes.determinant;
    this.kernel.suppressBelow(list, count, map, pitch, plane, below.map, below.pitch, ratio, step * ratio);
  }

  private suppressAbove({ list, count, map, pitch, ...level }: Searched, above: Searched): void {
    const ratio = above.ratio / level.ratio;
    const plane = above.planes.determinant;
    this.kernel.suppressAbove(list, count, map, pitch, plane, above.map, above.pitch, ratio, above.step);
  }

  private describe(level: Searched): AkazeResult {
    const { width, height, pitch, ratio, step, planes, list, map } = level;
    const { image, alongX, alongY, determinant } = planes;
    if (level.count > MAXIMUM_KEYPOINTS) this.dropWeak(level);
    const { keypoints: out, descriptors, kernel } = this;
    const count = kernel.refine(list, level.count, map, determinant, pitch, ratio, out);
    kernel.describe(out, count, image, alongX, alongY, width, height, pitch, ratio, step, descriptors, this.scratch);
    return {
      count,
      keypoints: this.arena.floats(out, count * KEYPOINT_FLOATS).slice(),
      levels: new Uint8Array(count).fill(level.index),
      descriptors: this.arena.bytes(descriptors, count * DESCRIPTOR_BYTES).slice(),
    };
  }

  /** Leaves no more living maxima than there is room for. */
  private dropWeak({ list, count, map, pitch, height }: Searched): void {
    const pixels = this.arena.integers(list, (count * MAXIMUM_BYTES) / 4);
    const values = this.arena.floats(list, (count * MAXIMUM_BYTES) / 4);
    const states = this.arena.bytes(map, pitch * height);
    const living = Array.from({ length: count }, (_, i) => ({ pixel: pixels[2 * i]!, response: values[2 * i + 1]! }));
    const kept = new Set(
      strongest(
        living.filter(({ pixel }) => states[pixel] === 1),
        MAXIMUM_KEYPOINTS,
      ),
    );
    for (const maximum of living) {
      if (states[maximum.pixel] === 1 && !kept.has(maximum)) states[maximum.pixel] = BEATEN;
    }
  }

  private roomFor(width: number, height: number): Room {
    if (this.room?.width === width && this.room.height === height) return this.room;
    this.room = null;
    const pitch = this.space.prepare(width, height);
    // No two maxima touch.
    const capacity = Math.ceil(width / 2) * Math.ceil(height / 2);
    // Three levels are compared at a time.
    const three = (bytes: number): number[] => Array.from({ length: 3 }, () => this.arena.reserve(bytes));
    const room: Room = { width, height, maps: three(pitch * height), lists: three(capacity * MAXIMUM_BYTES) };
    this.room = room;
    return room;
  }
}

interface Room {
  width: number;
  height: number;
  maps: number[];
  lists: number[];
}

function concatenate(parts: AkazeResult[]): AkazeResult {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const all: AkazeResult = {
    count,
    keypoints: new Float32Array(count * KEYPOINT_FLOATS),
    levels: new Uint8Array(count),
    descriptors: new Uint8Array(count * DESCRIPTOR_BYTES),
  };
  let start = 0;
  for (const part of parts) {
    all.keypoints.set(part.keypoints, start * KEYPOINT_FLOATS);
    all.levels.set(part.levels, start);
    all.descriptors.set(part.descriptors, start * DESCRIPTOR_BYTES);
    start += part.count;
  }
  return all;
}

function strongestOf({ count, keypoints, levels, descriptors }: AkazeResult): AkazeResult {
  const entries = Array.from({ length: count }, (_, i) => ({ i, response: keypoints[KEYPOINT_FLOATS * i + 2]! }));
  const rows = strongest(entries, MAXIMUM_KEYPOINTS).map(({ i }) => ({
    count: 1,
    keypoints: keypoints.subarray(i * KEYPOINT_FLOATS, (i + 1) * KEYPOINT_FLOATS),
    levels: levels.subarray(i, i + 1),
    descriptors: descriptors.subarray(i * DESCRIPTOR_BYTES, (i + 1) * DESCRIPTOR_BYTES),
  }));
  return concatenate(rows);
}
