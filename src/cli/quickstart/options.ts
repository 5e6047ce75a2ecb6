import { parseArgs } from 'node:util';

export interface QuickstartOptions {
  help: boolean;
  /** Stop the server after the tour and let the exit code say whether everything worked. */
  exit: boolean;
}

export const HELP = `Usage: npm run quickstart [-- --exit]

Starts InferNode with everything embedded, takes two sample videos through the API, shows what came out, and leaves the
server running until Ctrl-C.

  --exit   stop the server at the end; the exit code is 0 only if all of it worked
  --help   this text

Settings are those of the server, from the environment or .env: PORT (3000, or a free one when that is taken), DATA_DIR
(./data) and all the others. Results lie in DATA_DIR/quickstart/. NO_COLOR=1 turns colours off.
`;

/** @throws TypeError naming an option that does not exist */
export function parseOptions(args: readonly string[]): QuickstartOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean', short: 'h', default: false }, exit: { type: 'boolean', default: false } },
    strict: true,
  });
  return { help: values.help, exit: values.exit };
}
