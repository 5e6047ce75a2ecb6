/** Keypoints of one frame. */
export interface Keypoints {
  count: number;
  /** x0, y0, x1, y1, … in pixels of the frame; pixel centres are integers. */
  points: Float32Array;
}

/**
 * One descriptor per keypoint, one after another. Euclidean: int16 whose squared distances stay below 2^30, so that they
 * are exact integers; a multiple of 8 per descriptor (`unitDescriptors` makes them from floats). Hamming: bytes, padded
 * with zeros to a multiple of 16 per descriptor.
 */
export type Descriptors =
  | { metric: 'euclidean'; length: number; values: Int16Array }
  | { metric: 'hamming'; length: 32 | 64; values: Uint8Array };

export interface Features extends Keypoints {
  descriptors: Descriptors;
}

/** A picture in full-range grey, row-major, width * height bytes; pixel centres are integers. */
export interface GrayImage {
  gray: Uint8Array;
  width: number;
  height: number;
}

/** Finds and describes keypoints. Deterministic: the same frame gives the same features in the same order. */
export interface FeatureDetector {
  /** Pixels of the largest image it has memory for, where that is less than a 4K frame. */
  readonly maximumPixels?: number;
  /**
   * @param gray full-range grey, row-major, width * height bytes
   * @throws RunnerInputError when the frame needs more memory than there is
   */
  detect(gray: Uint8Array, width: number, height: number): Features;
  dispose(): void;
}
