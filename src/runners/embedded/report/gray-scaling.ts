import type { GrayImage } from '../vision/features.js';

/**
 * Scales by one factor in both directions: down by averaging what falls into a target pixel, up by repeating pixels.
 *
 * @param scale target size / source size, > 0
 */
export function scaleGray(source: GrayImage, scale: number): GrayImage {
  if (scale === 1) return source;
  const width = Math.max(1, Math.round(source.width * scale));
  const height = Math.max(1, Math.round(source.height * scale));
  const columns = sourceSpans(source.width, width);
  const rows = sourceSpans(source.height, height);
  const gray = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      gray[y * width + x] = meanOf(source, columns[2 * x], columns[2 * x + 1], rows[2 * y], rows[2 * y + 1]);
    }
  }
  return { width, height, gray };
}

/** For each target position the half-open span of source positions it stands for, never empty. */
function sourceSpans(sourceLength: number, targetLength: number): Int32Array {
  const spans = new Int32Array(2 * targetLength);
  for (let target = 0; target < targetLength; target++) {
    const start = Math.min(sourceLength - 1, Math.floor((target * sourceLength) / targetLength));
    const end = Math.floor(((target + 1) * sourceLength) / targetLength);
    spans[2 * target] = start;
    spans[2 * target + 1] = Math.max(start + 1, end);
  }
  return spans;
}

function meanOf(source: GrayImage, left: number, right: number, top: number, bottom: number): number {
  let sum = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) sum += source.gray[y * source.width + x];
  }
  return Math.round(sum / ((right - left) * (bottom - top)));
}
