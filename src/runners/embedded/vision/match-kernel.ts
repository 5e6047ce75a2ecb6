import type { KernelExports } from './kernel-module.js';

/** Exports of `kernels/match.as.ts`; all addresses in bytes. */
export interface MatchKernel extends KernelExports {
  squaredNorms(vectors: number, count: number, length: number, out: number): void;
  sketch(
    descriptors: number,
    count: number,
    length: number,
    basis: number,
    size: number,
    shift: number,
    out: number,
  ): void;
  interleave(sketches: number, count: number, size: number, out: number): void;
  nearestEuclidean(
    queries: number,
    trains: number,
    length: number,
    size: number,
    scale: number,
    slack: number,
    reach: number,
    queryOut: number,
    trainOut: number,
  ): void;
  nearestHamming(
    queries: number,
    queryCount: number,
    trains: number,
    trainCount: number,
    bytes: number,
    queryOut: number,
    trainOut: number,
  ): void;
}
