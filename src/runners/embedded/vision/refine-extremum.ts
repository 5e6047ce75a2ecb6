import { BORDER, LAYERS, SIGMA, type Octave } from './scale-space.js';

export const CONTRAST_THRESHOLD = 0.04;
/** Greatest ratio of principal curvatures; above it the extremum lies on an edge. */
const EDGE_RATIO = 10;
const MAXIMUM_STEPS = 5;
const GREY_LEVELS = 255;

/** An extremum of the difference of Gaussians, located to a fraction of a pixel. */
export interface Extremum {
  layer: number;
  column: number;
  row: number;
  /** Position in the octave's plane. */
  x: number;
  y: number;
  /** Blur in pixels of the octave. */
  scale: number;
  /** Contrast, grey range 0..1. */
  response: number;
}

/**
 * Fits a quadratic to the difference of Gaussians around a pixel and walks to its extremum (Lowe 2004, section 4).
 * @returns null when it does not settle, is too weak or lies on an edge
 */
export function refineExtremum(octave: Octave, layer: number, column: number, row: number): Extremum | null {
  for (let step = 0; step < MAXIMUM_STEPS; step++) {
    const { slope, curvature, value } = derivatives(octave, layer, column, row);
    const offset = newtonOffset(slope, curvature);
    if (offset === null) return null;
    const [dx, dy, ds] = offset;
    if (Math.abs(dx) < 0.5 && Math.abs(dy) < 0.5 && Math.abs(ds) < 0.5) {
      const response = Math.abs(value + 0.5 * (slope[0] * dx + slope[1] * dy + slope[2] * ds));
      if (response * LAYERS < CONTRAST_THRESHOLD || isEdge(curvature)) return null;
      const scale = SIGMA * 2 ** ((layer + ds) / LAYERS);
      return { layer, column, row, x: column + dx, y: row + dy, scale, response };
    }
    column += Math.round(dx);
    row += Math.round(dy);
    layer += Math.round(ds);
    // Written so that a NaN or an infinite step fails it.
    const inside =
      layer >= 1 &&
      layer <= LAYERS &&
      column >= BORDER &&
      column < octave.width - BORDER &&
      row >= BORDER &&
      row < octave.height - BORDER;
    if (!inside) return null;
  }
  return null;
}

type Slope = [x: number, y: number, scale: number];
type Curvature = { xx: number; yy: number; ss: number; xy: number; xs: number; ys: number };

/** Central differences of the difference of Gaussians, grey range 0..1. */
function derivatives({ pixels, width }: Octave, layer: number, column: number, row: number) {
  const g0 = pixels[layer - 1]!;
  const g1 = pixels[layer]!;
  const g2 = pixels[layer + 1]!;
  const g3 = pixels[layer + 2]!;
  const p = row * width + column;
  const below = (i: number): number => g1[i]! - g0[i]!;
  const here = (i: number): number => g2[i]! - g1[i]!;
  const above = (i: number): number => g3[i]! - g2[i]!;
  const first = 0.5 / GREY_LEVELS;
  const second = 1 / GREY_LEVELS;
  const cross = 0.25 / GREY_LEVELS;
  const centre = here(p);
  const slope: Slope = [
    (here(p + 1) - here(p - 1)) * first,
    (here(p + width) - here(p - width)) * first,
    (above(p) - below(p)) * first,
  ];
  const curvature: Curvature = {
    xx: (here(p + 1) + here(p - 1) - 2 * centre) * second,
    yy: (here(p + width) + here(p - width) - 2 * centre) * second,
    ss: (above(p) + below(p) - 2 * centre) * second,
    xy: (here(p + width + 1) - here(p + width - 1) - here(p - width + 1) + here(p - width - 1)) * cross,
    xs: (above(p + 1) - above(p - 1) - below(p + 1) + below(p - 1)) * cross,
    ys: (above(p + width) - above(p - width) - below(p + width) + below(p - width)) * cross,
  };
  return { slope, curvature, value: centre / GREY_LEVELS };
}

/** Where the quadratic has zero slope, by Cramer's rule; null when the curvature is singular. */
function newtonOffset([x, y, s]: Slope, { xx, yy, ss, xy, xs, ys }: Curvature): Slope | null {
  const a = yy * ss - ys * ys;
  const b = xs * ys - xy * ss;
  const c = xy * ys - yy * xs;
  const determinant = xx * a + xy * b + xs * c;
  if (determinant === 0) return null;
  const d = xx * ss - xs * xs;
  const e = xy * xs - xx * ys;
  const f = xx * yy - xy * xy;
  return [
    -(a * x + b * y + c * s) / determinant,
    -(b * x + d * y + e * s) / determinant,
    -(c * x + e * y + f * s) / determinant,
  ];
}

function isEdge({ xx, yy, xy }: Curvature): boolean {
  const trace = xx + yy;
  const determinant = xx * yy - xy * xy;
  return determinant <= 0 || trace * trace * EDGE_RATIO >= (EDGE_RATIO + 1) ** 2 * determinant;
}
