import type { KernelArena } from './kernel-module.js';
import type { MatchKernel } from './match-kernel.js';
import { principalDirections } from './principal-directions.js';

/** Values per sketch: with fewer, more pairs need their exact distance; with more, each sketch costs more. */
const SKETCH_SIZE = 32;
/** Steps of a basis component of 1. */
const BASIS_STEPS = 2 ** 14;
/** The kernel keeps the values of a sketch within +-2047, so that squared distances of any two stay below 2^30. */
const GREATEST_VALUE = 2047;
/** Sketches of goal descriptors lie in groups of this many; the last group is read as a whole. */
const GROUP = 16;
const PLACED_WORDS = 6;

export interface FloatDescriptors {
  count: number;
  /** Values per descriptor. */
  length: number;
  values: Int16Array;
}

/** Projection of descriptors to short vectors whose distances are lower bounds. */
interface Sketching {
  basis: number;
  /** Sketches are at most `scale` times the distance of their descriptors plus `slack` apart. */
  scale: number;
  slack: number;
  /** Bits that the products with the basis are divided by. */
  shift: number;
}

/** Goal descriptors in the kernel's memory, with what the search needs to know of them. */
export interface EuclideanGoal {
  header: number;
  length: number;
  sketching: Sketching;
}

/**
 * Exact search for nearest neighbours by Euclidean distance. A sketch holds a descriptor's components along the
 * directions in which the goal's descriptors differ most. Few pairs are so near in these that all of the descriptor has
 * to be looked at; what the others' exact distances are can change nothing.
 */
export class EuclideanSearch {
  constructor(
    private readonly kernel: MatchKernel,
    private readonly arena: KernelArena,
  ) {}

  placeGoal(descriptors: FloatDescriptors): EuclideanGoal {
    const sketching = this.sketchingFor(descriptors);
    const { count } = descriptors;
    const placed = this.place(descriptors, sketching);
    const interleaved = this.arena.reserve(wholeGroups(count) * SKETCH_SIZE * 2);
    this.kernel.interleave(placed.sketches, count, SKETCH_SIZE, interleaved);
    return { header: this.header({ ...placed, sketches: interleaved }), length: descriptors.length, sketching };
  }

  /**
   * @param reach the second nearest is of interest only within this many times the squared distance of the nearest
   * @param queryOut, trainOut addresses of the results, as in `kernels/euclidean.part.as.ts`
   */
  search(goal: EuclideanGoal, current: FloatDescriptors, reach: number, queryOut: number, trainOut: number): void {
    const { sketching, length } = goal;
    const queries = this.header(this.place(current, sketching));
    const { scale, slack } = sketching;
    this.kernel.nearestEuclidean(queries, goal.header, length, SKETCH_SIZE, scale, slack, reach, queryOut, trainOut);
  }

  private sketchingFor({ count, length, values }: FloatDescriptors): Sketching {
    const directions = principalDirections(values, count, length, SKETCH_SIZE);
    const steps = Int16Array.from(directions, (component) => Math.round(component * BASIS_STEPS));
    const basis = this.arena.reserve(steps.byteLength);
    this.arena.shorts(basis, steps.length).set(steps);
    // An orthonormal basis lengthens nothing; a rounded one by no more than its rounding errors together.
    let error = 0;
    for (let i = 0; i < steps.length; i++) error += (steps[i]! / BASIS_STEPS - directions[i]!) ** 2;
    let longest = 0;
    for (let start = 0; start < values.length; start += length) {
      let square = 0;
      for (let i = start; i < start + length; i++) square += values[i]! ** 2;
      longest = Math.max(longest, square);
    }
    const shift = Math.max(1, Math.ceil(Math.log2((Math.sqrt(longest) * BASIS_STEPS) / GREATEST_VALUE)));
    // Each value is rounded by at most a half.
    const slack = Math.sqrt(SKETCH_SIZE) + 1e-3;
    return { basis, shift, slack, scale: (BASIS_STEPS / 2 ** shift) * (1 + Math.sqrt(error) + 1e-6) };
  }

  private place({ count, length, values }: FloatDescriptors, sketching: Sketching): Placed {
    const descriptors = this.arena.reserve(values.byteLength);
    this.arena.shorts(descriptors, values.length).set(values);
    const whole = wholeGroups(count);
    const norms = this.arena.reserve(count * 4);
    const sketches = this.arena.reserve(whole * SKETCH_SIZE * 2);
    const sketchNorms = this.arena.reserve(whole * 4);
    const limits = this.arena.reserve(whole * 4);
    this.kernel.squaredNorms(descriptors, count, length, norms);
    this.kernel.sketch(descriptors, count, length, sketching.basis, SKETCH_SIZE, sketching.shift, sketches);
    this.kernel.squaredNorms(sketches, count, SKETCH_SIZE, sketchNorms);
    return { count, descriptors, norms, sketches, sketchNorms, limits };
  }

  /** The kernel's class Placed. */
  private header({ count, descriptors, norms, sketches, sketchNorms, limits }: Placed): number {
    const address = this.arena.reserve(PLACED_WORDS * 4);
    this.arena.integers(address, PLACED_WORDS).set([count, descriptors, norms, sketches, sketchNorms, limits]);
    return address;
  }
}

/** Addresses of the parts. */
interface Placed {
  count: number;
  descriptors: number;
  norms: number;
  sketches: number;
  sketchNorms: number;
  limits: number;
}

function wholeGroups(count: number): number {
  return Math.ceil(count / GROUP) * GROUP;
}
