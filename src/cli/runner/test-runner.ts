import type { Check } from '../../runners/conformance/check.js';
import { ConformanceSuite, conforms, type Verdict } from '../../runners/conformance/conformance.js';
import { CNS_MODEL, type RunModel, type Runner, type RunnerDescription } from '../../runners/runner.port.js';
import { watchForInterruption } from '../interruption.js';
import { Terminal } from '../terminal.js';
import { VerdictTable } from './verdict-table.js';

/** A shell's code for a command that Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;

export interface RunnerTest {
  /** What is tested, as the heading has it. */
  subject: string;
  open(): Runner;
  /** Name of the model that jobs ask for. */
  model: string;
  checks: readonly Check[];
  /** One JSON object at the end instead of a table. */
  json: boolean;
}

/** Puts a runner through the checks and prints what became of them. @returns the exit code: 0 when it conforms */
export async function testRunner(test: RunnerTest): Promise<number> {
  const interruption = watchForInterruption(process.env);
  const model: RunModel = { ...CNS_MODEL, name: test.model };
  const suite = await ConformanceSuite.open({ open: test.open, model });
  try {
    const print = test.json ? printJson : printTable;
    const verdicts = await print(test, suite, interruption.signal);
    if (interruption.signal.aborted) return EXIT_INTERRUPTED;
    return conforms(verdicts) ? 0 : 1;
  } finally {
    await suite.close();
    interruption.end();
  }
}

async function printTable(test: RunnerTest, suite: ConformanceSuite, signal: AbortSignal): Promise<Verdict[]> {
  const terminal = new Terminal(process.stdout, process.env);
  const table = new VerdictTable(terminal, Math.max(...test.checks.map(({ title }) => title.length)));
  terminal.line(terminal.bold(test.subject));
  terminal.line();
  const verdicts: Verdict[] = [];
  table.begin(test.checks[0].title);
  for await (const verdict of suite.run(test.checks, signal)) {
    if (signal.aborted) break;
    table.add(verdict);
    verdicts.push(verdict);
    if (verdicts.length < test.checks.length) table.begin(test.checks[verdicts.length].title);
  }
  terminal.live('');
  table.summarize(verdicts);
  if (signal.aborted) terminal.line(`  Interrupted: ${test.checks.length - verdicts.length} were not tried.`);
  return verdicts;
}

interface TestReport {
  subject: string;
  /** What the runner says of itself at the end, when it has been asked. */
  runner: RunnerDescription;
  conforms: boolean;
  interrupted: boolean;
  verdicts: Verdict[];
}

async function printJson(test: RunnerTest, suite: ConformanceSuite, signal: AbortSignal): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for await (const verdict of suite.run(test.checks, signal)) if (!signal.aborted) verdicts.push(verdict);
  const report: TestReport = {
    subject: test.subject,
    runner: suite.runner.describe(),
    conforms: !signal.aborted && conforms(verdicts),
    interrupted: signal.aborted,
    verdicts,
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  return verdicts;
}
