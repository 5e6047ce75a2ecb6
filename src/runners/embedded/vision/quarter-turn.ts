import type { QuarterTurn } from '../../detector.js';
import type { GrayImage } from './features.js';

/** The picture turned clockwise, pixel by pixel. */
export function turnImage({ gray, width, height }: GrayImage, turn: QuarterTurn): GrayImage {
  if (turn === 0) return { gray, width, height };
  const isUpright = turn === 2;
  const turned = {
    gray: new Uint8Array(gray.length),
    width: isUpright ? width : height,
    height: isUpright ? height : width,
  };
  for (let y = 0; y < height; y++) {
    // Where the first pixel of the row goes, and how far apart the pixels of the row lie then.
    const [first, stride] = placeRow(turn, y, turned);
    for (let x = 0; x < width; x++) turned.gray[first + x * stride] = gray[y * width + x]!;
  }
  return turned;
}

function placeRow(turn: QuarterTurn, y: number, turned: { width: number; height: number }): [number, number] {
  if (turn === 1) return [turned.width - 1 - y, turned.width];
  if (turn === 2) return [(turned.height - y) * turned.width - 1, -1];
  return [(turned.height - 1) * turned.width + y, -turned.width];
}

/**
 * Positions in the turned picture as positions in the picture itself; exact up to rounding, since pixel centres are
 * integers.
 *
 * @param size of the picture before it was turned
 */
export function turnBack(
  points: Float32Array,
  turn: QuarterTurn,
  { width, height }: { width: number; height: number },
): Float32Array {
  if (turn === 0) return points;
  const back = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    const x = points[i]!;
    const y = points[i + 1]!;
    back[i] = turn === 1 ? y : width - 1 - (turn === 2 ? x : y);
    back[i + 1] = turn === 3 ? x : height - 1 - (turn === 2 ? y : x);
  }
  return back;
}
