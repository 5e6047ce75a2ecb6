/** How a stored picture is turned to be seen as it was filmed: first the transposition, then the mirrorings. */
export interface Orientation {
  /** Rows become columns: pixel (x, y) goes to (y, x). */
  transpose: boolean;
  /** Left and right change places. */
  flipX: boolean;
  /** Top and bottom change places. */
  flipY: boolean;
}

export const UPRIGHT: Orientation = { transpose: false, flipX: false, flipY: false };

/**
 * Orientation from a display matrix (ISO/IEC 14496-12 section 6.2.2): [a b u c d v x y w], row by row, which takes
 * pixel (p, q) to (a p + c q + x, b p + d q + y). Only signs and zeros count, so the fixed-point format does not matter.
 *
 * Quarter turns and mirrorings are applied. Any other matrix counts for nothing, as in OpenCV: pictures turned by other
 * angles would get blank corners and pixels that were never filmed.
 */
export function orientationOf(matrix: ArrayLike<number>): Orientation {
  const [a = 0, b = 0, , c = 0, d = 0] = Array.from(matrix);
  if (b === 0 && c === 0 && a !== 0 && d !== 0) return { transpose: false, flipX: a < 0, flipY: d < 0 };
  if (a === 0 && d === 0 && b !== 0 && c !== 0) return { transpose: true, flipX: c < 0, flipY: b < 0 };
  return UPRIGHT;
}

export function isUpright({ transpose, flipX, flipY }: Orientation): boolean {
  return !transpose && !flipX && !flipY;
}

/** The size of the upright picture. */
export function uprightSize(
  { width, height }: { width: number; height: number },
  { transpose }: Orientation,
): { width: number; height: number } {
  return transpose ? { width: height, height: width } : { width, height };
}
