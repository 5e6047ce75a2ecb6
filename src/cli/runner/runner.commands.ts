import { Option, type Command } from 'commander';
import type { TestFlags } from './test-options.js';

/**
 * `infernode runner test <url>`.
 * @param end is told the exit code
 */
export function addRunnerTest(runner: Command, end: (code: number) => void): void {
  runner
    .command('test')
    .description('put a model server through every promise that jobs rely on')
    .argument('<url>', 'address of the server')
    .option('--kind <kind>', 'contract that it speaks: fastapi or kserve; default: by the address')
    .addOption(new Option('--token <token>', 'bearer token').env('RUNNER_TOKEN'))
    .option('--slots <count>', 'jobs at a time, for a server that does not say')
    .option('--model <name>', 'model that jobs ask for; default: cns')
    .option('--only <names>', 'some of the checks, with commas between them')
    .option('--json', 'one JSON object at the end')
    .action(async (url: string, flags: TestFlags, command: Command) => {
      const { parseTest, UsageError } = await import('./test-options.js');
      const { testRunner } = await import('./test-runner.js');
      try {
        end(await testRunner(parseTest(url, flags)));
      } catch (error) {
        if (error instanceof UsageError) command.error(`error: ${error.message}`);
        throw error;
      }
    });
}
