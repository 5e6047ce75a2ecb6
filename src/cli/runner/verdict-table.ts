import type { Outcome, Verdict } from '../../runners/conformance/conformance.js';
import { formatSeconds, type Terminal } from '../terminal.js';

const MARKS: Readonly<Record<Outcome, string>> = { passed: '✓', failed: '✗', skipped: '–' };
const TIME_WIDTH = 6;
const GAP = '  ';
/** Narrower than this a detail cannot be read: it goes below. */
const NARROWEST_DETAIL = 24;

/** Prints verdicts as they come, in columns that fit the terminal. */
export class VerdictTable {
  constructor(
    private readonly terminal: Terminal,
    private readonly titleWidth: number,
  ) {}

  /** The check at work, until its verdict. */
  begin(title: string): void {
    this.terminal.live(`  ${this.terminal.dim('…')} ${title}`);
  }

  add({ title, outcome, severity, seconds, detail }: Verdict): void {
    const { terminal } = this;
    terminal.live('');
    const isLacking = outcome === 'failed' && severity === 'optional';
    const mark = isLacking ? terminal.yellow('!') : this.paintOf(outcome)(MARKS[outcome]);
    const time = outcome === 'skipped' ? '' : formatSeconds(seconds);
    const head = `${GAP}${mark} ${title.padEnd(this.titleWidth)}${terminal.dim(time.padStart(TIME_WIDTH))}${GAP}`;
    const indent = GAP.length + 2 + this.titleWidth + TIME_WIDTH + GAP.length;
    const room = terminal.width - indent;
    const isBelow = room < NARROWEST_DETAIL;
    const margin = isBelow ? 2 * GAP.length : indent;
    const [first = '', ...more] = wrap(printable(detail), Math.max(terminal.width - margin, NARROWEST_DETAIL));
    const paint = outcome === 'passed' ? (text: string) => text : terminal.dim;
    if (isBelow) terminal.line(head.trimEnd());
    terminal.line(isBelow ? ' '.repeat(margin) + paint(first) : head + paint(first));
    for (const line of more) terminal.line(' '.repeat(margin) + paint(line));
  }

  /** What it comes to, in one line. */
  summarize(verdicts: readonly Verdict[]): void {
    const count = (wanted: (verdict: Verdict) => boolean): number => verdicts.filter(wanted).length;
    const failed = count(({ outcome, severity }) => outcome === 'failed' && severity === 'required');
    const lacking = count(({ outcome, severity }) => outcome === 'failed' && severity === 'optional');
    const parts = [
      `${count(({ outcome }) => outcome === 'passed')} passed`,
      failed === 0 ? 'none failed' : this.terminal.red(`${failed} failed`),
      ...(lacking === 0 ? [] : [this.terminal.yellow(`${lacking} could be better`)]),
      `${count(({ outcome }) => outcome === 'skipped')} not applicable`,
    ];
    this.terminal.line();
    this.terminal.line(`${GAP}${parts.join(', ')}`);
  }

  private paintOf(outcome: Outcome): (text: string) => string {
    const { green, red, dim } = this.terminal;
    return { passed: green, failed: red, skipped: dim }[outcome];
  }
}

/** A server wrote it: nothing in it may steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{C}+/gu, ' ').trim();
}

/** Lines of at most so many characters, broken between words where there are any. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    let rest = word;
    if (line !== '' && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = '';
    }
    while (rest.length > width) {
      lines.push(rest.slice(0, width));
      rest = rest.slice(width);
    }
    line = line === '' ? rest : `${line} ${rest}`;
  }
  return [...lines, line];
}
