/**
 * Puts every kind of runner through the conformance suite and writes docs/reference/conformance.md:
 *
 *   npm run conformance [-- name=url …]
 *
 * An address adds a real server to the table, e.g. `model-server=http://127.0.0.1:8000` or `mlserver=grpc://127.0.0.1:8081`.
 */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { format } from 'prettier';
import { kindAt } from '../src/cli/runner/test-options.js';
import { CHECKS } from '../src/runners/conformance/checks/all.checks.js';
import { ConformanceSuite, conforms, type Outcome, type Verdict } from '../src/runners/conformance/conformance.js';
import type { RunnerDescription } from '../src/runners/runner.port.js';
import { createRunner } from '../src/runners/runner.registry.js';
import { exampleOf, FAULTS } from '../tests/contract/runner-faults.js';
import { RUNNER_SUBJECTS, type RunnerSubject } from '../tests/contract/runner-subjects.js';
import { silentLogger } from '../tests/support/silent-logger.js';

const PAGE = new URL('../docs/reference/conformance.md', import.meta.url);
const MARKS: Readonly<Record<Outcome, string>> = { passed: '✓', failed: '✗', skipped: '–' };
const ANY_SLOTS = 256;

interface Column {
  name: string;
  runner: RunnerDescription;
  verdicts: Verdict[];
}

const never = new AbortController().signal;
const git = (...words: string[]): string => execFileSync('git', words, { encoding: 'utf8' }).trim();

async function measure({ name, start }: Pick<RunnerSubject, 'name' | 'start'>): Promise<Column> {
  const { options, stop } = await start();
  const suite = await ConformanceSuite.open(options);
  try {
    const verdicts: Verdict[] = [];
    for await (const verdict of suite.run(CHECKS, never)) {
      process.stdout.write(`${name}: ${MARKS[verdict.outcome]} ${verdict.title}: ${verdict.detail}\n`);
      verdicts.push(verdict);
    }
    return { name, runner: suite.runner.describe(), verdicts };
  } finally {
    await suite.close();
    await stop();
  }
}

function realServer(argument: string): Pick<RunnerSubject, 'name' | 'start'> {
  const [name, address = ''] = argument.split(/=(.*)/s);
  const url = new URL(address);
  const kind = kindAt(url, undefined);
  const open = () => createRunner(kind, { name, url, slots: ANY_SLOTS, logger: silentLogger });
  return {
    name,
    start: () => Promise.resolve({ options: { open }, crash: () => undefined, stop: () => Promise.resolve() }),
  };
}

function page(columns: readonly Column[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const verdictOf = ({ verdicts }: Column, check: string) => verdicts.find(({ name }) => name === check);
  const table = [
    row(['Check', 'A runner', ...columns.map(({ name }) => name)]),
    row(['---', '---', ...columns.map(() => ':-:')]),
    ...CHECKS.map(({ name, title, severity }) => {
      const marks = columns.map((column) => MARKS[verdictOf(column, name)?.outcome ?? 'skipped']);
      return row([`\`${name}\``, severity === 'optional' ? `${title} *(optional)*` : title, ...marks]);
    }),
  ];
  const faults = [
    row(['A server that …', 'Error', 'Tried again', 'Whose fault', 'Kinds']),
    row(['---', '---', '---', '---', '---']),
    ...FAULTS.map((fault) => {
      const { code, retryable, fault: whose } = exampleOf(fault);
      const error = fault.reason === undefined ? `\`${code}\`` : `\`${code}\`: ${fault.reason}`;
      const kinds = [fault.fastapi && 'fastapi', fault.rest && 'kserve', fault.grpc && 'kserve over gRPC'];
      return row([fault.server, error, retryable ? 'yes' : 'no', whose, kinds.filter((kind) => kind).join(', ')]);
    }),
    row(['does not listen', '`runner-unavailable`', 'yes', 'platform', 'all']),
  ];
  const notes = columns.flatMap(({ name, verdicts }) =>
    verdicts
      .filter(({ outcome }) => outcome !== 'passed')
      .map((verdict) => `- ${name}, \`${verdict.name}\`: ${verdict.detail}`),
  );
  const details = columns.map(({ name, runner, verdicts }) => {
    const rows = verdicts.map((verdict) => row([`\`${verdict.name}\``, verdict.seconds.toFixed(1), verdict.detail]));
    return [
      `### ${name}`,
      `${runner.name} ${runner.version}, ${runner.slots} slots.`,
      [row(['Check', 's', 'Seen']), row(['---', '--:', '---']), ...rows].join('\n'),
    ].join('\n\n');
  });
  return `# Conformance of runners

What every runner promises, and which kind keeps it. A test fails when a kind no longer does as this table says.
\`infernode runner test <url>\` puts [a server of your own](../how-to/test-a-model-server.md) through the same checks.

${table.join('\n')}

\`✓\` kept, \`–\` not offered, \`✗\` broken.

${notes.join('\n')}

## What a fault of a server becomes

A job that fails by the platform's fault costs nothing and is tried again, elsewhere where there is another server; a busy
server costs it no attempt. Each line is a test, for every kind whose protocol has room for it, and each server works on
once it is well again.

${faults.join('\n')}

## Measured

${new Date().toISOString().slice(0, 10)}, commit ${git('rev-parse', '--short', 'HEAD')}, Node.js ${process.version}, ${os.cpus().length} × ${os.cpus()[0].model}, shared with
other work: \`npm run conformance${process.argv
    .slice(2)
    .map((argument) => ` ${argument}`)
    .join('')}\`. Seconds are those of a whole check.

${details.join('\n\n')}
`;
}

const subjects = [
  ...RUNNER_SUBJECTS.filter(({ name }) => name !== 'scripted'),
  ...process.argv.slice(2).map(realServer),
];
const columns: Column[] = [];
for (const subject of subjects) columns.push(await measure(subject));
await writeFile(PAGE, await format(page(columns), { parser: 'markdown', printWidth: 120 }));
process.stdout.write('wrote docs/reference/conformance.md\n');
process.exitCode = columns.every(({ verdicts }) => conforms(verdicts)) ? 0 : 1;
