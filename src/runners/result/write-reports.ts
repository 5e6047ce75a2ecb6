import type { RunInput, RunResult } from '../runner.port.js';
import { ASSUMED_FRAME_RATE } from '../trajectory.js';
import type { ResultArchive } from './result-archive.js';
import { resultJson, trajectoryCsv, velocityCsv } from './result-texts.js';
import { renderVelocityPlot } from './velocity-plot.js';

/**
 * Puts velocities, plot, trajectory and the whole result into the archive.
 * @throws RunnerStorageError when the disk refuses
 */
export async function writeReports(
  archive: ResultArchive,
  { parameters, frameRate }: Pick<RunInput, 'parameters' | 'frameRate'>,
  result: RunResult,
): Promise<void> {
  const plot = renderVelocityPlot({
    frames: result.frames.map(({ frame }) => frame),
    velocity: result.velocity.map((row, k) => (result.frames[k].problem === null ? row : null)),
    featureErrorPx: result.frames.map(({ featureErrorPx }) => featureErrorPx),
    title: `Velocity towards goal frame ${parameters.goalFrameId} (${parameters.detector}, ${parameters.policy.toUpperCase()})`,
  });
  await archive.addText('velocity.csv', velocityCsv(result));
  await archive.addText('velocity.svg', [plot]);
  await archive.addText('trajectory.csv', trajectoryCsv(result, frameRate ?? ASSUMED_FRAME_RATE));
  await archive.addText('result.json', resultJson(parameters, result));
}
