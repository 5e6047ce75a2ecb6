import { speckledFrame, type GrayFrame } from './textured-frame.js';

/** Where the card is in the goal frame, pixels. */
export const CARD = { left: 110, top: 70, right: 210, bottom: 170 };
const WIDTH = 320;
const HEIGHT = 240;

/** A textured card before a textured wall; each is moved to the right by as many pixels as is said. */
export function cardBeforeWall(shift: { wall: number; card: number }): GrayFrame {
  const wall = speckledFrame(WIDTH, HEIGHT, (x, y) => [x - shift.wall, y], 1);
  const card = speckledFrame(WIDTH, HEIGHT, (x, y) => [x - shift.card, y], 2);
  const gray = wall.gray.map((value, i) => {
    const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
    return isOnCard(x - shift.card, y) ? card.gray[i] : value;
  });
  return { gray, width: WIDTH, height: HEIGHT };
}

/** Whether a pixel of the goal frame shows the card, at least `margin` pixels from its edges. */
export function isOnCard(x: number, y: number, margin = 0): boolean {
  const { left, top, right, bottom } = CARD;
  return x >= left + margin && y >= top + margin && x < right - margin && y < bottom - margin;
}
