import type { KernelExports } from './kernel-module.js';

/** Exports of `kernels/akaze.as.ts`; addresses in bytes, pitches in floats. */
export interface AkazeKernel extends KernelExports {
  toFloat(source: number, width: number, height: number, target: number, pitch: number): void;
  halve(source: number, sourcePitch: number, target: number, width: number, height: number, pitch: number): void;
  halveUnevenly(
    source: number,
    sourcePitch: number,
    target: number,
    width: number,
    height: number,
    pitch: number,
    columns: number,
    rows: number,
  ): void;
  blur(
    source: number,
    target: number,
    width: number,
    height: number,
    pitch: number,
    kernel: number,
    radius: number,
    line: number,
  ): void;
  contrast(
    smooth: number,
    width: number,
    height: number,
    pitch: number,
    share: number,
    magnitudes: number,
    histogram: number,
  ): number;
  conductivity(
    smooth: number,
    toRight: number,
    below: number,
    width: number,
    height: number,
    pitch: number,
    inverseSquaredContrast: number,
    lines: number,
  ): void;
  diffuse(
    source: number,
    target: number,
    toRight: number,
    below: number,
    width: number,
    height: number,
    pitch: number,
    time: number,
    flow: number,
  ): void;
  findMaxima(
    smooth: number,
    alongX: number,
    alongY: number,
    determinant: number,
    width: number,
    height: number,
    pitch: number,
    step: number,
    border: number,
    threshold: number,
    map: number,
    list: number,
  ): number;
  suppressBelow(
    list: number,
    count: number,
    map: number,
    pitch: number,
    lowerPlane: number,
    lowerMap: number,
    lowerPitch: number,
    ratio: number,
    radius: number,
  ): void;
  suppressAbove(
    list: number,
    count: number,
    map: number,
    pitch: number,
    upperPlane: number,
    upperMap: number,
    upperPitch: number,
    ratio: number,
    radius: number,
  ): void;
  refine(list: number, count: number, map: number, plane: number, pitch: number, ratio: number, out: number): number;
  describe(
    keypoints: number,
    count: number,
    plane: number,
    alongX: number,
    alongY: number,
    width: number,
    height: number,
    pitch: number,
    ratio: number,
    step: number,
    out: number,
    scratch: number,
  ): void;
}
