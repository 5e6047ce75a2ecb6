import type { FrameRange } from './video-decoder.port.js';

/** @throws RangeError when the range is no `start, start + step, … ≤ end` of whole numbers from zero */
export function assertFrameRange(range: FrameRange): void {
  const { start, end, step } = range;
  const isValid = [start, end, step].every(Number.isSafeInteger) && start >= 0 && end >= start && step >= 1;
  if (!isValid) throw new RangeError(`Invalid frame range: start ${start}, end ${end}, step ${step}`);
}

/** The last index that the range really asks for. */
export function lastIndexOf(range: FrameRange): number {
  return range.start + Math.floor((range.end - range.start) / range.step) * range.step;
}
