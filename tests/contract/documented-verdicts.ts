import { readFile } from 'node:fs/promises';

import type { Outcome } from '../../src/runners/conformance/conformance.js';

const PAGE = new URL('../../docs/reference/conformance.md', import.meta.url);
const OUTCOMES: Readonly<Record<string, Outcome | undefined>> = { '✓': 'passed', '✗': 'failed', '–': 'skipped' };

/** What the page of conformance says: outcome by kind of runner, then by check. */
export async function documentedVerdicts(): Promise<Map<string, Map<string, Outcome>>> {
  const lines = (await readFile(PAGE, 'utf8')).split('\n');
  const start = lines.findIndex((line) => line.startsWith('| Check'));
  const end = lines.findIndex((line, place) => place > start && !line.startsWith('|'));
  const rows = lines.slice(start, end);
  const cellsOf = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const [, , ...kinds] = cellsOf(rows[0]);
  const verdicts = new Map(kinds.map((kind) => [kind, new Map<string, Outcome>()]));
  for (const row of rows.slice(2)) {
    const [check, , ...marks] = cellsOf(row);
    for (const [place, mark] of marks.entries()) {
      const outcome = OUTCOMES[mark];
      if (outcome !== undefined) verdicts.get(kinds[place])?.set(check.replaceAll('`', ''), outcome);
    }
  }
  return verdicts;
}
