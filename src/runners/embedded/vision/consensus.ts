import { createRandom } from './random.js';

/** Probability that at least one sample was free of outliers when the search stops. */
const CONFIDENCE = 0.9999;
const SEED = 0x5eed;

/**
 * Random samples of pairs, and how many of them are enough. Seeded: the same samples for the same number of pairs.
 */
export class Sampler {
  readonly sample: Int32Array;
  private readonly random = createRandom(SEED);

  constructor(
    private readonly count: number,
    private readonly size: number,
  ) {
    this.sample = new Int32Array(size);
  }

  /** Fills `sample` with distinct indices. There must be at least as many pairs as a sample has. */
  draw(): void {
    const { sample } = this;
    for (let drawn = 0; drawn < this.size;) {
      const index = Math.floor(this.random() * this.count);
      let isNew = true;
      for (let i = 0; i < drawn; i++) if (sample[i] === index) isNew = false;
      if (isNew) sample[drawn++] = index;
    }
  }

  /** Samples needed when this share of the pairs agrees. */
  needed(inlierShare: number): number {
    const cleanSample = inlierShare ** this.size;
    if (cleanSample >= 1) return 0;
    return Math.ceil(Math.log(1 - CONFIDENCE) / Math.log1p(-cleanSample));
  }
}
