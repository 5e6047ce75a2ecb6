/**
 * The heavy parts of AKAZE (Alcantarilla, Nuevo, Bartoli, "Fast explicit diffusion for accelerated features in nonlinear
 * scale spaces", BMVC 2013) in AssemblyScript SIMD. Steps, constants and float32 precision are those of OpenCV 4.x, so that
 * the keypoints are the same.
 *
 * Images are row-major float32 planes; an address is that of pixel (0, 0). Rows are `pitch` floats apart: the width rounded
 * up to whole vectors, plus MARGIN floats on either side, which lie between the end of one row and the start of the next.
 * Vectors that reach beyond the last pixel write into the margin, so every float of every plane must be finite from the
 * start. The caller owns the memory layout.
 */

export { toFloat, halve, halveUnevenly, blur } from './akaze-planes.part.as';
export { contrast, conductivity, diffuse } from './akaze-diffusion.part.as';
export { findMaxima } from './akaze-hessian.part.as';
export { suppressBelow, suppressAbove, refine } from './akaze-extrema.part.as';
export { describe } from './akaze-descriptor.part.as';

/** First address the caller may use. */
export function arenaStart(): usize {
  return (__heap_base + 15) & ~15;
}
