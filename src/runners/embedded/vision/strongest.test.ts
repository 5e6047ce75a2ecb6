import { expect, it } from 'vitest';
import { strongest } from './strongest.js';

const entriesOf = (...responses: number[]) => responses.map((response, place) => ({ place, response }));

it('keeps everything when there is no more than wanted', () => {
  const entries = entriesOf(3, 1, 2);
  expect(strongest(entries, 3)).toEqual(entries);
});

it('keeps the strongest in their order', () => {
  expect(strongest(entriesOf(3, 1, 2, 9), 2).map(({ place }) => place)).toEqual([0, 3]);
});

it('gives up none of the stronger ones for many that are alike', () => {
  expect(strongest(entriesOf(1, 1, 1, 1, 5, 1, 7), 3).map(({ place }) => place)).toEqual([0, 4, 6]);
  expect(strongest(entriesOf(2, 2, 2, 2), 3).map(({ place }) => place)).toEqual([0, 1, 2]);
});
