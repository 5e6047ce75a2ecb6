import type { RunParameters, VisualizeMode } from '../runner.port.js';

/** Most pictures a job in `sampled` mode puts into its archive. */
const SAMPLED_PICTURES = 100;

/** Number of frames a job processes: start, start + step, … ≤ end. */
export function countFrames(parameters: Pick<RunParameters, 'startFrame' | 'endFrame' | 'frameStep'>): number {
  const { startFrame, endFrame, frameStep } = parameters;
  return Math.max(0, Math.floor((endFrame - startFrame) / frameStep) + 1);
}

/**
 * Decides which of the processed frames get a picture.
 *
 * @param total number of processed frames
 * @returns a test on the position (0 … total - 1) of a frame among the processed ones; in `sampled` mode it picks at
 *   most 100, spread evenly, the first and the last among them
 */
export function picturePlan(mode: VisualizeMode, total: number): (position: number) => boolean {
  if (mode === 'none') return () => false;
  if (mode === 'all' || total <= SAMPLED_PICTURES) return () => true;
  const spacing = (total - 1) / (SAMPLED_PICTURES - 1);
  return (position) => Math.round(Math.round(position / spacing) * spacing) === position;
}
