import { loadOpenCV } from '@opencvjs/node';
import type { FeatureDetector, Features } from './features.js';
import { MAXIMUM_KEYPOINTS, strongest } from './strongest.js';

/** The few OpenCV objects used here; the published types lack AKAZE and the fields of a keypoint. */
interface Deletable {
  delete(): void;
}
interface Mat extends Deletable {
  readonly rows: number;
  readonly cols: number;
  readonly data: Uint8Array;
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
  AKAZE: new () => Feature2D;
  CV_8UC1: number;
  exceptionFromPtr(pointer: number): { msg: string };
}

/** AKAZE of opencv.js with the default parameters of `AKAZE_create()`. */
export class OpenCvDetector implements FeatureDetector {
  static async create(name: 'AKAZE'): Promise<OpenCvDetector> {
    // The published types describe another selection of classes than the module has.
    const opencv = (await loadOpenCV()) as unknown as OpenCv;
    return new OpenCvDetector(opencv, new opencv[name]());
  }

  private constructor(
    private readonly opencv: OpenCv,
    private readonly detector: Feature2D,
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
    const bytes = descriptors.cols;
    const length = bytes <= 32 ? 32 : 64;
    const values = new Uint8Array(kept.length * length);
    const source = descriptors.data;
    kept.forEach(({ row }, i) => values.set(source.subarray(row * bytes, (row + 1) * bytes), i * length));
    const points = Float32Array.from(kept.flatMap(({ x, y }) => [x, y]));
    return { count: kept.length, points, descriptors: { metric: 'hamming', length, values } };
  }

  /** OpenCV throws the address of a C++ exception. */
  private readable(error: unknown): unknown {
    if (typeof error !== 'number') return error;
    return new Error(`OpenCV failed on the frame: ${this.opencv.exceptionFromPtr(error).msg}`);
  }
}
