import type { Sample } from '../../runners/servo-sample.js';
import { formatBytes, formatSeconds, type Terminal } from '../terminal.js';
import type { TourOutcome } from './tour.js';
import { magnitude, medianAngle } from '../../runners/velocity-angle.js';
import { spreadRows } from './spread-rows.js';

const TABLE_ROWS = 10;
const AXES = ['vx', 'vy', 'vz', 'wx', 'wy', 'wz'];

/** What the tour brought, for the person at the terminal. */
export function reportTour(outcome: TourOutcome, sample: Sample, terminal: Terminal): void {
  reportVelocities(outcome, sample, terminal);
  const { archive, credits, result, resultPath, plotPath } = outcome;

  const pictures = archive.names.filter((name) => name.endsWith('.jpg')).length;
  terminal.heading('Files');
  terminal.field('Plot', plotPath);
  terminal.field('Result', resultPath);
  terminal.field('ZIP', `${archive.path}  ${terminal.dim(`(${pictures} pictures, ${formatBytes(archive.bytes)})`)}`);

  terminal.heading('Cost');
  const inference = credits.before - credits.after - credits.goal - credits.current;
  terminal.field(
    'Credits',
    `${credits.before - credits.after} spent (${credits.goal} + ${credits.current} for the uploads, ` +
      `${inference} for the inference), ${credits.after} left`,
  );
  terminal.field(
    'Carbon',
    `${result.carbon_footprint.toPrecision(2)} g CO2e from ${result.energy_wh.toPrecision(2)} Wh, ` +
      `${result.carbon_method}, at ${result.carbon_intensity} g per kWh (${result.device.toUpperCase()})`,
  );
  const total = terminal.timings.reduce((sum, { seconds }) => sum + seconds, 0);
  const longest = [...terminal.timings].sort((a, b) => b.seconds - a.seconds).slice(0, 3);
  const shares = longest.map(({ label, seconds }) => `${label.toLowerCase()} ${formatSeconds(seconds)}`).join(', ');
  terminal.field('Time', `${formatSeconds(total)} in all; ${shares}`);
  for (const warning of result.warnings) terminal.field('Note', warning);
}

function reportVelocities({ result }: TourOutcome, sample: Sample, terminal: Terminal): void {
  const { velocity, frames } = result;
  terminal.heading('Velocity of the camera, m/s and rad/s');
  terminal.line(terminal.dim(`  frame${AXES.map((axis) => axis.padStart(10)).join('')}     inliers`));
  for (const row of spreadRows(velocity.length, TABLE_ROWS)) {
    const numbers = velocity[row]
      .map((value) =>
        value
          .toFixed(4)
          .replace(/^-(0\.0+)$/, '$1')
          .padStart(10),
      )
      .join('');
    terminal.line(`  ${String(frames[row].frame).padStart(5)}${numbers}${String(frames[row].inliers).padStart(12)}`);
  }
  const rows = frames.map(({ frame }, row) => ({ frame, velocity: velocity[row] }));
  const angle = medianAngle(rows, sample.truth, sample.distance);
  const first = magnitude(velocity[0]).toFixed(3);
  const last = magnitude(velocity[velocity.length - 1]).toFixed(4);
  terminal.line();
  terminal.line(`  As the camera comes to the goal pose, the velocity goes to zero: |v| ${first} → ${last}.`);
  if (angle !== null) {
    terminal.line(`  It points where the exact geometry says, to ${angle.toFixed(2)}° in the median frame.`);
  }
}
