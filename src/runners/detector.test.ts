import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectorSchema } from '../contract/inference.contract.js';
import { DETECTOR_NAMES, parseDetector } from './detector.js';

describe('parseDetector', () => {
  it('reads a name alone as the goal as it is', () => {
    for (const name of DETECTOR_NAMES) expect(parseDetector(name)).toEqual([{ name, turns: [0] }]);
  });

  it('reads parts and turns in the order written', () => {
    expect(parseDetector('AKAZE:20+ORB:13+KAZE')).toEqual([
      { name: 'AKAZE', turns: [2, 0] },
      { name: 'ORB', turns: [1, 3] },
      { name: 'KAZE', turns: [0] },
    ]);
  });

  it.each([
    ['nothing', ''],
    ['an unknown name', 'SURF'],
    ['lower case', 'orb'],
    ['a name twice', 'ORB:0+ORB:1'],
    ['five parts', 'SIFT+ORB+AKAZE+KAZE+BRISK'],
    ['no turns after the colon', 'ORB:'],
    ['a turn beyond three', 'ORB:4'],
    ['a turn twice', 'ORB:010'],
    ['turns twice', 'ORB:0:1'],
    ['a plus at the end', 'ORB+'],
    ['a plus at the start', '+ORB'],
    ['a blank', 'ORB +AKAZE'],
    ['a line break', 'ORB\n'],
    ['a name every object has', 'constructor'],
  ])('refuses %s', (_, text) => {
    expect(parseDetector(text)).toBeNull();
  });

  it('agrees with the contract on every text', () => {
    const piece = fc.constantFrom(...DETECTOR_NAMES, '+', ':', '0', '1', '2', '3', '4', 'orb', ' ');
    const shaped = fc.array(
      fc.tuple(fc.constantFrom(...DETECTOR_NAMES), fc.constantFrom('', ':', ':0', ':02', ':13', ':11', ':0123', ':4')),
      { maxLength: 5 },
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
      shaped.map((parts) => parts.map((part) => part.join('')).join('+')),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        expect(detectorSchema.safeParse(candidate).success).toBe(parseDetector(candidate) !== null);
      }),
      { numRuns: 2000 },
    );
  });
});
