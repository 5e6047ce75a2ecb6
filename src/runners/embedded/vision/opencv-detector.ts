import type { Descriptors, FeatureDetector, Features } from './features.js';
import { MAXIMUM_KEYPOINTS, strongest } from './strongest.js';
import { unitDescriptors } from './unit-descriptors.js';

/** The few OpenCV objects used here; the published types lack KAZE and the fields of a keypoint. */
interface Deletable {
  delete(): void;
}
interface Mat extends Deletable {
  readonly rows: number;
  readonly cols: number;
  readonly data: Uint8Array;
  readonly data32F: Float32Array;
  /** One of OpenCV's `CV_…` element types. */
  type(): number;
}
interface Keypoint {
  pt: { x: number; y: number };
  response: number;
}
interface KeypointVector extends Deletable {
  size(): number;
  get(index: number): Keypoint;
}
interface Feature2D extends Deletable {
  detectAndCompute(image: Mat, mask: Mat, keypoints: KeypointVector, descriptors: Mat): void;
}
interface OpenCv {
  Mat: { new (): Mat; new (rows: number, columns: number, type: number): Mat };
  KeyPointVector: new () => KeypointVector;
  KAZE: new () => Feature2D;
  BRISK: new () => Feature2D;
  CV_32F: number;
  CV_8UC1: number;
  exceptionFromPtr(pointer: number): { msg: string };
}

type DetectorClass = 'KAZE' | 'BRISK';

/**
 * The module may have one gigabyte, and KAZE keeps all levels of its scale space at full size: it fails from 1920 x 1080
 * on, and what it had taken by then is lost.
 */
const LARGEST_KAZE_IMAGE = 1280 * 960;

/** KAZE and BRISK of opencv.js with the default parameters of their `create()`. */
export class OpenCvDetector implements FeatureDetector {
  static async create(name: DetectorClass): Promise<OpenCvDetector> {
    // On demand: ten megabytes of WebAssembly, which a job with other detectors does not wait for.
    const { loadOpenCV } = await import('@opencvjs/node');
    // The published types describe another selection of classes than the module has.
    const opencv = (await loadOpenCV()) as unknown as OpenCv;
    return new OpenCvDetector(opencv, new opencv[name](), name === 'KAZE' ? LARGEST_KAZE_IMAGE : undefined);
  }

  private constructor(
    private readonly opencv: OpenCv,
    private readonly detector: Feature2D,
    readonly maximumPixels?: number,
  ) {}

  detect(gray: Uint8Array, width: number, height: number): Features {
    const owned: Deletable[] = [];
    const own = <Thing extends Deletable>(thing: Thing): Thing => {
      owned.push(thing);
      return thing;
    };
    try {
      const image = own(new this.opencv.Mat(height, width, this.opencv.CV_8UC1));
      image.data.set(gray);
      const keypoints = own(new this.opencv.KeyPointVector());
      const descriptors = own(new this.opencv.Mat());
      this.detector.detectAndCompute(image, own(new this.opencv.Mat()), keypoints, descriptors);
      return this.read(keypoints, descriptors);
    } catch (error) {
      throw this.readable(error);
    } finally {
      for (const thing of owned) thing.delete();
    }
  }

  dispose(): void {
    this.detector.delete();
  }

  private read(vector: KeypointVector, descriptors: Mat): Features {
    const found = Array.from({ length: vector.size() }, (_, row) => {
      const keypoint = vector.get(row);
      return { row, response: keypoint.response, x: keypoint.pt.x, y: keypoint.pt.y };
    });
    const kept = strongest(found, MAXIMUM_KEYPOINTS);
    const points = Float32Array.from(kept.flatMap(({ x, y }) => [x, y]));
    const rows = kept.map(({ row }) => row);
    const isFloat = descriptors.type() === this.opencv.CV_32F;
    return {
      count: kept.length,
      points,
      descriptors: isFloat ? euclidean(descriptors, rows) : hamming(descriptors, rows),
    };
  }

  /** OpenCV throws the address of a C++ exception. */
  private readable(error: unknown): unknown {
    if (typeof error !== 'number') return error;
    return new Error(`OpenCV failed on the frame: ${this.opencv.exceptionFromPtr(error).msg}`);
  }
}

function hamming({ cols: bytes, data }: Mat, rows: number[]): Descriptors {
  const length = bytes <= 32 ? 32 : 64;
  const values = new Uint8Array(rows.length * length);
  rows.forEach((row, i) => values.set(data.subarray(row * bytes, (row + 1) * bytes), i * length));
  return { metric: 'hamming', length, values };
}

function euclidean({ cols: length, data32F }: Mat, rows: number[]): Descriptors {
  const values = new Float32Array(rows.length * length);
  rows.forEach((row, i) => values.set(data32F.subarray(row * length, (row + 1) * length), i * length));
  return unitDescriptors(values, length);
}
