import { describe, expect, it } from 'vitest';
import type { QuarterTurn } from '../../detector.js';
import { turnBack, turnImage } from './quarter-turn.js';

/** Three wide, two high. */
const PICTURE = { gray: Uint8Array.of(1, 2, 3, 4, 5, 6), width: 3, height: 2 };

describe('quarter turns', () => {
  it.each<[QuarterTurn, number, number[]]>([
    [0, 3, [1, 2, 3, 4, 5, 6]],
    [1, 2, [4, 1, 5, 2, 6, 3]],
    [2, 3, [6, 5, 4, 3, 2, 1]],
    [3, 2, [3, 6, 2, 5, 1, 4]],
  ])('turn a picture clockwise: %i', (turn, width, gray) => {
    expect(turnImage(PICTURE, turn)).toEqual({ gray: Uint8Array.from(gray), width, height: 6 / width });
  });

  it.each<QuarterTurn>([0, 1, 2, 3])('lead back to the very pixel: %i', (turn) => {
    const turned = turnImage(PICTURE, turn);
    const places = [...turned.gray].flatMap((_, i) => [i % turned.width, Math.floor(i / turned.width)]);
    const back = turnBack(Float32Array.from(places), turn, PICTURE);
    turned.gray.forEach((value, i) => {
      expect(PICTURE.gray[back[2 * i + 1] * PICTURE.width + back[2 * i]]).toBe(value);
    });
  });
});
