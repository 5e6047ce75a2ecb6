import { describe, expect, it } from 'vitest';

import type { Verdict } from '../../runners/conformance/conformance.js';
import { Terminal } from '../terminal.js';
import { VerdictTable, wrap } from './verdict-table.js';

const passed: Verdict = {
  name: 'rows',
  title: 'returns rows',
  severity: 'required',
  outcome: 'passed',
  detail: '4 rows',
  seconds: 0.2,
};

function printed(verdicts: readonly Verdict[], columns?: number): string {
  let text = '';
  const output = {
    write: (piece: string) => ((text += piece), true),
    isTTY: columns !== undefined,
    columns: columns ?? 0,
  };
  const table = new VerdictTable(new Terminal(output, { NO_COLOR: '1' }), 14);
  for (const verdict of verdicts) table.add(verdict);
  table.summarize(verdicts);
  return text;
}

describe('the table of verdicts', () => {
  it('has a mark, a title, a time and what was seen', () => {
    expect(printed([passed]).split('\n')[0]).toBe('  ✓ returns rows   0.2 s  4 rows');
  });

  it('tells what has failed, what could be better and what does not apply', () => {
    const text = printed([
      passed,
      { ...passed, outcome: 'failed', detail: '3 rows for 4' },
      { ...passed, outcome: 'failed', severity: 'optional' },
      { ...passed, outcome: 'skipped', detail: 'It has one slot.' },
    ]);
    expect(text).toMatch(/^ {2}✗ returns rows {3}0\.2 s {2}3 rows for 4$/m);
    expect(text).toMatch(/^ {2}! returns rows/m);
    expect(text).toMatch(/^ {2}– returns rows {10}It has one slot\.$/m);
    expect(text).toMatch(/1 passed, 1 failed, 1 could be better, 1 not applicable\n$/);
  });

  it('keeps within the width of the terminal', () => {
    const detail = 'a long story about velocities '.repeat(10).trim();
    const lines = printed([{ ...passed, detail }], 60).split('\n');
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
  });

  it('puts what was seen below where the terminal is narrow', () => {
    const [head, below] = printed([{ ...passed, detail: 'four rows were seen' }], 40).split('\n');
    expect(head).toBe('  ✓ returns rows   0.2 s');
    expect(below).toBe('    four rows were seen');
  });

  it('lets no server steer the terminal', () => {
    const text = printed([{ ...passed, detail: '\x1b[2Jgone\x07\r\nnew line' }]);
    expect(text.split('\n')[0]).toMatch(/ {2}\[2Jgone new line$/);
  });
});

describe('lines of a width', () => {
  it('break between words, and within those that are longer', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('abcdefghij kl', 4)).toEqual(['abcd', 'efgh', 'ij', 'kl']);
    expect(wrap('', 10)).toEqual(['']);
  });
});
