import { strongestOf } from './strongest.js';

const FIELDS = 5;
const FIRST_CAPACITY = 1024;

/** Keypoints in the coordinates of OpenCV's `cv::KeyPoint`, one entry each in every array. */
export interface SiftKeypoints {
  count: number;
  x: Float32Array;
  y: Float32Array;
  /** Diameter of the meaningful neighbourhood, pixels. */
  size: Float32Array;
  /** Degrees, as OpenCV counts them. */
  angle: Float32Array;
  response: Float32Array;
  /** 0..255, one descriptor after another. */
  descriptors: Int16Array;
}

/** Grows as keypoints are found; no object per keypoint. */
export class KeypointTable {
  private count = 0;
  private fields = new Float32Array(FIRST_CAPACITY * FIELDS);
  private descriptors: Int16Array;

  constructor(private readonly descriptorLength: number) {
    this.descriptors = new Int16Array(FIRST_CAPACITY * descriptorLength);
  }

  add(x: number, y: number, size: number, angle: number, response: number, descriptor: Int16Array): void {
    if ((this.count + 1) * FIELDS > this.fields.length) this.grow();
    const start = this.count * FIELDS;
    this.fields[start] = x;
    this.fields[start + 1] = y;
    this.fields[start + 2] = size;
    this.fields[start + 3] = angle;
    this.fields[start + 4] = response;
    this.descriptors.set(descriptor, this.count * this.descriptorLength);
    this.count++;
  }

  /** The `limit` keypoints of greatest response in the order of `cv::KeyPointsFilter::removeDuplicatedSorted`. */
  strongest(limit: number): SiftKeypoints {
    const { fields, descriptors, descriptorLength } = this;
    const all = Array.from({ length: this.count }, (_, i) => i);
    const order = strongestOf(all, (i) => fields[i * FIELDS + 4]!, limit).sort((a, b) => this.compare(a, b));
    const column = (field: number): Float32Array => Float32Array.from(order, (i) => fields[i * FIELDS + field]!);
    const sorted = new Int16Array(order.length * descriptorLength);
    order.forEach((i, to) => {
      const from = i * descriptorLength;
      sorted.set(descriptors.subarray(from, from + descriptorLength), to * descriptorLength);
    });
    return {
      count: order.length,
      x: column(0),
      y: column(1),
      size: column(2),
      angle: column(3),
      response: column(4),
      descriptors: sorted,
    };
  }

  /** By x, y, size from large to small, angle, response from large to small. */
  private compare(a: number, b: number): number {
    const { fields } = this;
    const [i, j] = [a * FIELDS, b * FIELDS];
    return (
      fields[i]! - fields[j]! ||
      fields[i + 1]! - fields[j + 1]! ||
      fields[j + 2]! - fields[i + 2]! ||
      fields[i + 3]! - fields[j + 3]! ||
      fields[j + 4]! - fields[i + 4]!
    );
  }

  private grow(): void {
    const fields = new Float32Array(this.fields.length * 2);
    fields.set(this.fields);
    this.fields = fields;
    const descriptors = new Int16Array(this.descriptors.length * 2);
    descriptors.set(this.descriptors);
    this.descriptors = descriptors;
  }
}
