import { inwardIntegerAxis, outwardAxis, type Axis } from './axis-ticks.js';

const WIDTH = 960;
const HEIGHT = 908;
const PLOT_LEFT = 76;
const PLOT_RIGHT = WIDTH - 24;
/** Of a curve that is drawn whole. */
const MOST_POINTS = 2 * (PLOT_RIGHT - PLOT_LEFT);
const PANEL_HEIGHT = 200;
const PANEL_TOPS = { linear: 104, angular: 376, error: 648 } as const;

/** Colours that people with any kind of colour vision can tell apart (Okabe & Ito, 2008). */
const AXIS_COLORS = ['#d55e00', '#009e73', '#0072b2'] as const;

/** Frames without a velocity are marked in it. */
const MISSING_COLOR = '#8250df';
const ERROR_COLOR = '#24292f';
const MISSING_HEIGHT = 7;

/** Below this no component is worth an axis of its own: a curve of rounding errors would look like motion. */
const SMALLEST_SPAN = 1e-6;

/** Values of one panel; null where there are none. */
interface Curve {
  name: string;
  color: string;
  values: readonly (number | null)[];
}

interface Panel {
  top: number;
  heading: string;
  curves: readonly Curve[];
}

export interface VelocityPlotInput {
  /** Frame numbers, ascending. */
  frames: readonly number[];
  /** One row [vx, vy, vz, wx, wy, wz] per frame; null for a frame without a velocity. */
  velocity: readonly (readonly number[] | null)[];
  /** RMS distance of the inliers from their goal positions per frame, pixels; null where there are none. */
  featureErrorPx: readonly (number | null)[];
  title: string;
}

/**
 * Draws the six velocity components and the feature error over the frames as an SVG document of 960 × 908: three panels
 * with a common frame axis. Curves are broken at frames without a velocity, which are marked at the foot of each panel. Long videos are thinned to the extremes of every pixel column, so the size stays bounded and no peak is lost.
 */
export function renderVelocityPlot(input: VelocityPlotInput): string {
  const { frames, velocity, title } = input;
  const frameAxis = createFrameAxis(frames);
  const missing = frames.filter((_, row) => velocity[row] === null);
  const panels = panelsOf(input).map((panel) => renderPanel(panel, frames, missing, frameAxis));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`,
    ` font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12">\n`,
    `<title>${escapeXml(title)}</title>\n`,
    `<rect width="100%" height="100%" fill="#ffffff"/>\n`,
    `<text x="${PLOT_LEFT}" y="36" font-size="17" font-weight="600" fill="#1c2128">${escapeXml(title)}</text>\n`,
    ...(missing.length === 0 ? [] : [renderMissingLegend(missing.length)]),
    ...panels,
    text((PLOT_LEFT + PLOT_RIGHT) / 2, HEIGHT - 16, 'Frame', 'middle', '#57606a'),
    '</svg>\n',
  ].join('');
}

function createFrameAxis(frames: readonly number[]): Axis {
  const first = frames.at(0) ?? 0;
  const last = frames.at(-1) ?? first;
  // A single frame still needs an axis with some length.
  return inwardIntegerAxis(first, Math.max(last, first + 1), 10);
}

function panelsOf({ velocity, featureErrorPx }: VelocityPlotInput): Panel[] {
  const component = (k: number) => velocity.map((row) => row?.[k] ?? null);
  const curves = (names: readonly string[], first: number) =>
    names.map((name, k) => ({ name, color: AXIS_COLORS[k], values: component(first + k) }));
  const error = { name: 'RMS', color: ERROR_COLOR, values: featureErrorPx };
  return [
    { top: PANEL_TOPS.linear, heading: 'Linear velocity (m/s)', curves: curves(['vx', 'vy', 'vz'], 0) },
    { top: PANEL_TOPS.angular, heading: 'Angular velocity (rad/s)', curves: curves(['ωx', 'ωy', 'ωz'], 3) },
    { top: PANEL_TOPS.error, heading: 'Feature error: distance of the inliers from their goal (px)', curves: [error] },
  ];
}

function renderPanel(panel: Panel, frames: readonly number[], missing: readonly number[], frameAxis: Axis): string {
  const valueAxis = createValueAxis(panel.curves);
  const x = (frame: number) => scaled(frame, frameAxis, PLOT_LEFT, PLOT_RIGHT);
  const y = (value: number) => scaled(value, valueAxis, panel.top + PANEL_HEIGHT, panel.top);
  return [
    renderGrid(panel, frameAxis, valueAxis, x, y),
    renderMissing(panel, missing.map(x)),
    renderLegend(panel),
    ...panel.curves.flatMap(({ values, color }) =>
      unbrokenRuns(values).map((run) =>
        renderCurve(
          run.map((row) => x(frames[row])),
          run.map((row) => y(values[row] ?? 0)),
          color,
        ),
      ),
    ),
  ].join('');
}

/** Rows of the stretches without a gap; of a video so long that curves are thinned, all rows with a value. */
function unbrokenRuns(values: readonly (number | null)[]): number[][] {
  if (values.length > MOST_POINTS) return [[...values.keys()].filter((row) => values[row] !== null)];
  const runs: number[][] = [];
  values.forEach((value, row) => {
    if (value === null) return;
    if (row === 0 || values[row - 1] === null) runs.push([]);
    runs[runs.length - 1].push(row);
  });
  return runs;
}

/** At most one mark for each pixel column. */
function renderMissing(panel: Panel, xs: readonly number[]): string {
  const bottom = panel.top + PANEL_HEIGHT;
  const columns = [...new Set(xs.map(Math.round))];
  const marks = columns.map((x) => `M${x} ${bottom}v-${MISSING_HEIGHT}`).join('');
  return marks === '' ? '' : `<path d="${marks}" stroke="${MISSING_COLOR}" stroke-width="2"/>\n`;
}

function renderMissingLegend(count: number): string {
  const label = `${count} ${count === 1 ? 'frame' : 'frames'} without a velocity`;
  const line = `<path d="M${PLOT_LEFT + 2} 62v-${MISSING_HEIGHT}" stroke="${MISSING_COLOR}" stroke-width="2"/>`;
  return line + text(PLOT_LEFT + 12, 62, label, 'start', '#32383f');
}

function createValueAxis(curves: readonly Curve[]): Axis {
  let low = 0;
  let high = 0;
  for (const { values } of curves) {
    for (const value of values) {
      low = Math.min(low, value ?? 0);
      high = Math.max(high, value ?? 0);
    }
  }
  if (high - low < SMALLEST_SPAN) return outwardAxis(-1, 1, 4);
  return outwardAxis(low, high, 5);
}

function renderGrid(
  panel: Panel,
  frameAxis: Axis,
  valueAxis: Axis,
  x: (frame: number) => number,
  y: (value: number) => number,
): string {
  const bottom = panel.top + PANEL_HEIGHT;
  const parts = [
    `<text x="${PLOT_LEFT}" y="${panel.top - 14}" font-size="13" font-weight="600" fill="#32383f">${panel.heading}</text>\n`,
  ];
  for (const tick of frameAxis.ticks) {
    const position = x(tick);
    parts.push(segment(position, panel.top, position, bottom, '#f0f2f4'));
    parts.push(segment(position, bottom, position, bottom + 5, '#8c959f'));
    parts.push(text(position, bottom + 20, String(tick), 'middle', '#57606a'));
  }
  for (const tick of valueAxis.ticks) {
    const isZero = Math.abs(tick) < 1e-12;
    const position = y(tick);
    parts.push(segment(PLOT_LEFT, position, PLOT_RIGHT, position, isZero ? '#8c959f' : '#e6e9ed'));
    const label = isZero ? '0' : tick.toFixed(valueAxis.decimals).replace('-', '−');
    parts.push(text(PLOT_LEFT - 10, position + 4, label, 'end', '#57606a'));
  }
  parts.push(segment(PLOT_LEFT, panel.top, PLOT_LEFT, bottom, '#8c959f'));
  parts.push(segment(PLOT_LEFT, bottom, PLOT_RIGHT, bottom, '#8c959f'));
  return parts.join('');
}

function renderLegend(panel: Panel): string {
  const entryWidth = 62;
  const height = panel.top - 18;
  return panel.curves
    .map(({ name, color }, k) => {
      const left = PLOT_RIGHT - (panel.curves.length - k) * entryWidth + 12;
      return (
        `<line x1="${left}" y1="${height}" x2="${left + 22}" y2="${height}" stroke="${color}" stroke-width="2.5"/>` +
        text(left + 28, height + 4, name, 'start', '#32383f')
      );
    })
    .join('');
}

function renderCurve(xs: readonly number[], ys: readonly number[], color: string): string {
  if (xs.length === 1) {
    return `<circle cx="${coordinate(xs[0])}" cy="${coordinate(ys[0])}" r="3" fill="${color}"/>\n`;
  }
  const points = extremesPerColumn(xs, ys).map((k) => `${coordinate(xs[k])},${coordinate(ys[k])}`);
  return `<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="1.8" stroke-linejoin="round"/>\n`;
}

/** Positions to draw: all of them, or of each pixel column the first, lowest, highest and last. */
function extremesPerColumn(xs: readonly number[], ys: readonly number[]): number[] {
  if (xs.length <= MOST_POINTS) return xs.map((_, k) => k);
  const kept: number[] = [];
  let start = 0;
  for (let end = 1; end <= xs.length; end++) {
    if (end < xs.length && Math.floor(xs[end]) === Math.floor(xs[start])) continue;
    let lowest = start;
    let highest = start;
    for (let k = start; k < end; k++) {
      if (ys[k] < ys[lowest]) lowest = k;
      if (ys[k] > ys[highest]) highest = k;
    }
    kept.push(...new Set([start, Math.min(lowest, highest), Math.max(lowest, highest), end - 1]));
    start = end;
  }
  return kept;
}

function scaled(value: number, axis: Axis, from: number, to: number): number {
  return from + ((value - axis.min) / (axis.max - axis.min)) * (to - from);
}

function segment(x1: number, y1: number, x2: number, y2: number, color: string): string {
  const at = [x1, y1, x2, y2].map(coordinate);
  return `<line x1="${at[0]}" y1="${at[1]}" x2="${at[2]}" y2="${at[3]}" stroke="${color}"/>\n`;
}

function text(x: number, y: number, content: string, anchor: string, color: string): string {
  return `<text x="${coordinate(x)}" y="${coordinate(y)}" text-anchor="${anchor}" fill="${color}">${content}</text>\n`;
}

function coordinate(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function escapeXml(raw: string): string {
  return raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
