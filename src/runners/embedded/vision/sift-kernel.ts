import type { KernelExports } from './kernel-module.js';

/** Exports of `kernels/sift.as.ts`; all addresses in bytes. */
export interface SiftKernel extends KernelExports {
  buildFirstOctave(
    octave: number,
    image: number,
    filters: number,
    threshold: number,
    candidates: number,
    capacity: number,
  ): number;
  buildNextOctave(
    octave: number,
    previousWidth: number,
    filters: number,
    threshold: number,
    candidates: number,
    capacity: number,
  ): number;
  refineAll(
    octave: number,
    candidates: number,
    count: number,
    contrast: number,
    records: number,
    capacity: number,
  ): number;
  orientations(
    plane: number,
    width: number,
    height: number,
    x: number,
    y: number,
    scale: number,
    scratch: number,
    out: number,
  ): number;
  describe(
    plane: number,
    width: number,
    height: number,
    px: number,
    py: number,
    scale: number,
    angle: number,
    scratch: number,
    out: number,
  ): void;
}
