import { frameErrors } from '../frame-errors.js';
import type { RunParameters, RunResult } from '../runner.port.js';
import { axisAngle, cameraPath, type PathPoint } from '../trajectory.js';

/** Rows per piece: large enough to keep the number of pieces low, small enough to keep memory flat. */
const ROWS_PER_PIECE = 1000;

/** `velocity.csv`: one line per processed frame; m/s, rad/s, number of inliers, problem (empty when there is none). */
export function* velocityCsv(result: RunResult): Generator<string> {
  yield 'frame,vx,vy,vz,wx,wy,wz,inliers,problem\n';
  yield* inPieces(result.frames.length, (row) => {
    const report = result.frames[row];
    const velocity = result.velocity[row];
    return `${report.frame},${velocity.join(',')},${report.inliers},${report.problem ?? ''}\n`;
  });
}

/** `trajectory.csv`: pose at each processed frame in the frame of reference of the first; metres, rotation vector in rad. */
export function* trajectoryCsv(result: RunResult, frameRate: number): Generator<string> {
  yield 'frame,seconds,x,y,z,rx,ry,rz,path_length\n';
  const rows = result.frames.map(({ frame }, row) => ({ frame, velocity: result.velocity[row] }));
  const path = cameraPath(rows, frameRate);
  yield* inPieces(rows.length, () => {
    const { frame, seconds, position, rotation, pathLength } = path.next().value as PathPoint;
    return `${[frame, seconds, ...position, ...axisAngle(rotation), pathLength].join(',')}\n`;
  });
}

/** `result.json`: everything the runner reports, with the parameters it was given. One frame per line. */
export function* resultJson(parameters: RunParameters, result: RunResult): Generator<string> {
  const { velocity, frames, ...rest } = result;
  const head = JSON.stringify({ parameters, ...rest }, null, 2);
  yield `${head.slice(0, head.lastIndexOf('\n}'))},\n  "velocity": [\n`;
  yield* inPieces(velocity.length, (row) => jsonRow(velocity[row], row === velocity.length - 1));
  yield '  ],\n  "frames": [\n';
  yield* inPieces(frames.length, (row) => jsonRow(frames[row], row === frames.length - 1));
  const errors = frameErrors(frames);
  yield '  ],\n  "frame_errors": [\n';
  yield* inPieces(errors.length, (row) => jsonRow(errors[row], row === errors.length - 1));
  yield '  ]\n}\n';
}

function jsonRow(value: unknown, isLast: boolean): string {
  return `    ${JSON.stringify(value)}${isLast ? '' : ','}\n`;
}

function* inPieces(rows: number, line: (row: number) => string): Generator<string> {
  for (let start = 0; start < rows; start += ROWS_PER_PIECE) {
    let piece = '';
    const end = Math.min(rows, start + ROWS_PER_PIECE);
    for (let row = start; row < end; row++) piece += line(row);
    yield piece;
  }
}
