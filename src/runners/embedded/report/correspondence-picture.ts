import type { Detector } from '../../detector.js';
import type { FrameProblem } from '../../runner.port.js';
import type { StepResult } from '../pipeline.js';
import type { GrayImage } from '../vision/features.js';
import type { Observation } from '../vision/observation.js';
import { drawText, textHeight, textWidth } from './bitmap-font.js';
import { scaleGray } from './gray-scaling.js';
import { Raster, type Color } from './raster.js';

/** Each of the two views is scaled to fit; larger pictures tell a viewer nothing more. */
const LARGEST_VIEW = { width: 960, height: 720 };
/** Views smaller than this are enlarged by a whole factor, so that text and points have room. */
const SMALLEST_VIEW_WIDTH = 480;
const GAP = 6;
/** Room for the caption beneath which narrow views are set. */
const SMALLEST_PICTURE_WIDTH = 800;
const CAPTION_PADDING = 9;
const TEXT_SCALE = 2;
const LINE_SPACING = 8;

/** More lines than these hide the picture beneath them. */
const INLIER_LINES = 150;
const OUTLIER_LINES = 50;

const BACKGROUND: Color = [24, 27, 33];
const TEXT: Color = [236, 239, 244];
const QUIET_TEXT: Color = [150, 158, 170];
/** Blue dots and orange crosses: told apart with any kind of colour vision (Okabe & Ito, 2008), and without colours. */
const INLIER: Color = [30, 170, 255];
const OUTLIER: Color = [240, 120, 0];
const CROSS_ARM = 3;
const WARNING: Color = [255, 176, 64];

const PROBLEM_TEXTS: Record<FrameProblem, string> = {
  'blank-frame': 'the frame shows nothing',
  'too-few-keypoints': 'too few keypoints',
  'too-few-matches': 'too few matches',
  'too-few-inliers': 'too few inliers',
  'degenerate-geometry': 'degenerate geometry',
  'unreadable-frame': 'unreadable frame',
};

export interface PictureContent {
  currentFrame: number;
  current: GrayImage;
  step: Pick<StepResult, 'velocity' | 'inliers' | 'problem'> & {
    observation: Pick<Observation, 'matches' | 'inliers'>;
  };
}

/** Draws pictures of one job: the goal view stays on the left, the current view comes on the right. */
export interface CorrespondencePainter {
  paint(content: PictureContent): Raster;
}

/**
 * @param goal.frame index of the goal frame in the goal video, for the caption
 */
export function createCorrespondencePainter(options: {
  goal: GrayImage & { frame: number };
  detector: Detector;
}): CorrespondencePainter {
  const { goal, detector } = options;
  const goalScale = viewScale(goal);
  const goalView = scaleGray(goal, goalScale);
  return {
    paint({ currentFrame, current, step }) {
      const currentScale = viewScale(current);
      const currentView = scaleGray(current, currentScale);
      const currentLeft = goalView.width + GAP;
      const captionHeight = 2 * CAPTION_PADDING + 2 * textHeight(TEXT_SCALE) + LINE_SPACING;
      const raster = new Raster(
        Math.max(SMALLEST_PICTURE_WIDTH, currentLeft + currentView.width),
        captionHeight + Math.max(goalView.height, currentView.height),
      );
      raster.fill(BACKGROUND);
      raster.grayPicture(goalView.gray, goalView.width, goalView.height, 0, captionHeight);
      raster.grayPicture(currentView.gray, currentView.width, currentView.height, currentLeft, captionHeight);
      drawMatches(raster, step.observation, {
        goalScale,
        currentScale,
        currentLeft,
        top: captionHeight,
      });
      drawCaption(raster, currentLeft, {
        goal: `goal ${goal.frame}`,
        current: `frame ${currentFrame}`,
        detail: `${detector}  ${step.inliers} of ${step.observation.matches.count} matches agree`,
        problem: step.problem,
        velocity: step.velocity,
      });
      return raster;
    },
  };
}

/** Fits the largest view, or enlarges a small one by a whole factor. */
function viewScale({ width, height }: GrayImage): number {
  const fit = Math.min(LARGEST_VIEW.width / width, LARGEST_VIEW.height / height);
  if (fit < 1) return fit;
  const wanted = Math.ceil(SMALLEST_VIEW_WIDTH / width);
  return Math.max(1, Math.min(wanted, Math.floor(fit)));
}

interface Placement {
  goalScale: number;
  currentScale: number;
  currentLeft: number;
  top: number;
}

function drawMatches(
  raster: Raster,
  { matches, inliers }: Pick<Observation, 'matches' | 'inliers'>,
  placement: Placement,
): void {
  const { goal, current, count } = matches;
  const all = Array.from({ length: count }, (_, pair) => pair);
  const agreeing = all.filter((pair) => inliers[pair] === 1);
  const outlying = all.filter((pair) => inliers[pair] !== 1);
  const { goalScale, currentScale, currentLeft, top } = placement;
  const place = (pair: number) => ({
    goalX: scaledCentre(goal[2 * pair]!, goalScale),
    goalY: top + scaledCentre(goal[2 * pair + 1]!, goalScale),
    currentX: currentLeft + scaledCentre(current[2 * pair]!, currentScale),
    currentY: top + scaledCentre(current[2 * pair + 1]!, currentScale),
  });
  const lines = (pairs: number[], limit: number, color: Color, opacity: number) => {
    for (const pair of evenSample(pairs, limit)) {
      const { goalX, goalY, currentX, currentY } = place(pair);
      raster.line(goalX, goalY, currentX, currentY, color, opacity);
    }
  };
  const mark = (pairs: number[], draw: (x: number, y: number) => void) => {
    for (const pair of pairs) {
      const { goalX, goalY, currentX, currentY } = place(pair);
      draw(goalX, goalY);
      draw(currentX, currentY);
    }
  };
  const cross = (x: number, y: number) => {
    raster.line(x - CROSS_ARM, y - CROSS_ARM, x + CROSS_ARM, y + CROSS_ARM, OUTLIER, 0.8);
    raster.line(x - CROSS_ARM, y + CROSS_ARM, x + CROSS_ARM, y - CROSS_ARM, OUTLIER, 0.8);
  };
  lines(outlying, OUTLIER_LINES, OUTLIER, 0.5);
  lines(agreeing, INLIER_LINES, INLIER, 0.6);
  mark(outlying, cross);
  mark(agreeing, (x, y) => raster.dot(x, y, 1.8, INLIER, 1));
}

/** Pixel centres are integers, so a picture's edge lies at -0.5 on every scale. */
function scaledCentre(position: number, scale: number): number {
  return (position + 0.5) * scale - 0.5;
}

/** At most `limit` of the items, spread evenly over the list. */
function evenSample<T>(items: readonly T[], limit: number): T[] {
  if (items.length <= limit) return [...items];
  return Array.from({ length: limit }, (_, k) => items[Math.floor((k * items.length) / limit)]);
}

interface Caption {
  goal: string;
  current: string;
  detail: string;
  problem: FrameProblem | null;
  velocity: readonly number[];
}

/** First line: names of the views and, where there is room, the counts. Second line: the velocity. */
function drawCaption(raster: Raster, currentLeft: number, caption: Caption): void {
  const firstTop = CAPTION_PADDING;
  const secondTop = firstTop + textHeight(TEXT_SCALE) + LINE_SPACING;
  const write = (text: string, left: number, top: number, color: Color) => {
    drawText(raster, text, left, top, TEXT_SCALE, color);
  };
  write(caption.goal, CAPTION_PADDING, firstTop, TEXT);
  write(caption.current, currentLeft + CAPTION_PADDING, firstTop, TEXT);

  const detailLeft = raster.width - CAPTION_PADDING - textWidth(caption.detail, TEXT_SCALE);
  const currentRight = currentLeft + CAPTION_PADDING + textWidth(`${caption.current}  `, TEXT_SCALE);
  if (detailLeft >= currentRight) write(caption.detail, detailLeft, firstTop, QUIET_TEXT);

  if (caption.problem !== null) {
    write(`no velocity: ${PROBLEM_TEXTS[caption.problem]}`, CAPTION_PADDING, secondTop, WARNING);
    return;
  }
  const [vx, vy, vz, wx, wy, wz] = caption.velocity.map(signed);
  const linear = `v ${vx} ${vy} ${vz} m/s`;
  write(linear, CAPTION_PADDING, secondTop, TEXT);
  const angularLeft = CAPTION_PADDING + textWidth(`${linear}   `, TEXT_SCALE);
  write(`w ${wx} ${wy} ${wz} rad/s`, angularLeft, secondTop, TEXT);
}

function signed(value: number): string {
  const text = value.toFixed(4);
  return value >= 0 ? `+${text.replace('-', '')}` : text;
}
