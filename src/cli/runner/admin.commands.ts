import { Option, type Command } from 'commander';
import type * as ManageRunners from './manage-runners.js';
import type { AddFlags, Connection } from './manage-runners.js';

type Manage = typeof ManageRunners;
type Work = (manage: Manage, connection: Connection) => Promise<string>;

/** sysexits.h: EX_UNAVAILABLE. */
const EXIT_REFUSED = 69;

/**
 * `infernode runner list|add|check|drain|resume|remove`: what administrators do over the API of a running server.
 * @param end is told the exit code
 */
export function addRunnerAdministration(runner: Command, end: (code: number) => void): void {
  const define = (name: string, description: string): Command =>
    runner
      .command(name)
      .description(description)
      .addOption(new Option('--url <url>', 'where the API is').env('INFERNODE_URL').default('http://localhost:3000'))
      .addOption(new Option('--key <key>', 'API key of an administrator, or a token').env('INFERNODE_TOKEN'));

  const act = async (command: Command, work: Work): Promise<void> => {
    const { url, key } = command.opts<{ url: string; key?: string }>();
    if (key === undefined || key === '') {
      command.error('error: set INFERNODE_TOKEN to the API key of an administrator');
    }
    if (!URL.canParse(url)) command.error(`error: "${url}" is no address`);
    const manage = await import('./manage-runners.js');
    try {
      process.stdout.write(await work(manage, { baseUrl: url, token: key }));
      end(0);
    } catch (error) {
      process.stderr.write(`infernode: ${manage.explain(error, url)}\n`);
      end(EXIT_REFUSED);
    }
  };

  define('list', 'show the runners, and how they are')
    .option('--json', 'as the API has them')
    .action((flags: { json?: boolean }, command: Command) =>
      act(command, (manage, connection) => manage.listRunners(connection, flags.json ?? false)),
    );
  define('add', 'add a model server, and ask it how it is')
    .argument('<name>', 'what it is called from now on')
    .argument('<address>', 'where it is, for example http://gpu-1:8000')
    .addOption(new Option('--kind <kind>', 'contract that it speaks').choices(['fastapi', 'kserve']).default('fastapi'))
    .addOption(new Option('--token <token>', 'bearer token of the model server').env('RUNNER_TOKEN'))
    .option('--slots <count>', 'jobs at a time; default: as many as it says', Number)
    .option('--models <names>', 'models to use it for, with commas between them; default: all that it serves')
    // The flags hold those of the connection as well, and its `url` is another one.
    .action((name: string, address: string, { kind, token, slots, models }: AddFlags, command: Command) =>
      act(command, (manage, connection) =>
        manage.addRunner(connection, { name, url: address, kind, token, slots, models }),
      ),
    );
  const verbs = {
    check: 'ask a runner now how it is',
    drain: 'give a runner no new jobs',
    resume: 'give a runner jobs again',
    remove: 'remove a runner that works on nothing',
  } as const;
  for (const verb of ['check', 'drain', 'resume', 'remove'] as const) {
    define(verb, verbs[verb])
      .argument('<name>', 'name or id of the runner')
      .action((name: string, _flags: object, command: Command) =>
        act(command, (manage, connection) => manage.actOnRunner(connection, verb, name)),
      );
  }
}
