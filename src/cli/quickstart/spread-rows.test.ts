import { describe, expect, it } from 'vitest';
import { spreadRows } from './spread-rows.js';

describe('the rows of the table', () => {
  it('are spread evenly and hold the first and the last', () => {
    expect(spreadRows(30, 10)).toEqual([0, 3, 6, 10, 13, 16, 19, 23, 26, 29]);
    expect(spreadRows(3, 10)).toEqual([0, 1, 2]);
    expect(spreadRows(1, 10)).toEqual([0]);
    expect(spreadRows(0, 10)).toEqual([]);
  });
});
