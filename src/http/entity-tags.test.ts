import { describe, expect, it } from 'vitest';
import { isKnownToCaller, parseIfMatch } from './entity-tags.js';

describe('parseIfMatch', () => {
  it.each<[string | undefined, readonly string[] | null]>([
    [undefined, null],
    ['*', null],
    [' * ', null],
    ['"1"', ['1']],
    ['"1", "2","3"', ['1', '2', '3']],
    ['"a,b" , "c"', ['a,b', 'c']],
    ['""', ['']],
    ['W/"1"', []],
    ['W/"1", "2"', ['2']],
    [', "1",, "2",', ['1', '2']],
  ])('reads %j', (header, tags) => {
    expect(parseIfMatch(header)).toEqual(tags);
  });

  it.each(['', ' ', ',', '1', '"1', '1"', 'w/"1"', 'W/1', '"1" "2"', '*, "1"', '"1", *', "'1'", '"a b"', '"\u0000"'])(
    'refuses %j',
    (header) => {
      expect(() => parseIfMatch(header)).toThrow('If-Match');
    },
  );
});

describe('isKnownToCaller', () => {
  it.each<[string | undefined, boolean]>([
    [undefined, false],
    ['*', true],
    ['"7"', true],
    ['W/"7"', true],
    ['"6", "7"', true],
    ['"6"', false],
    ['7', false],
    ['', false],
    ['"7', false],
  ])('compares %j with the tag "7"', (header, known) => {
    expect(isKnownToCaller(header, '"7"')).toBe(known);
  });
});
