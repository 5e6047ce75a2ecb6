/** What a program needs of its surroundings. */
const HARMLESS = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'SystemRoot', 'LD_LIBRARY_PATH'];

/** For programs that work on files of strangers: nothing of the application's environment, which holds secrets. */
export function childEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(HARMLESS.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
