import { fileURLToPath } from 'node:url';

export interface ChildEntry {
  /** Absolute path of the script to hand to `fork` or `spawn`. */
  script: string;
  /** Flags Node needs in front of it. */
  execArgv: string[];
}

/**
 * Finds the script of a child process next to the module that starts it: the compiled `.js` in a build, the `.ts`
 * source (run through tsx) under the test runner and in development.
 *
 * @param name file name without extension, relative to the caller
 * @param callerUrl the caller's `import.meta.url`
 */
export function childEntry(name: string, callerUrl: string): ChildEntry {
  const fromSource = callerUrl.endsWith('.ts');
  const script = fileURLToPath(new URL(`${name}${fromSource ? '.ts' : '.js'}`, callerUrl));
  return { script, execArgv: fromSource ? ['--import', import.meta.resolve('tsx')] : [] };
}

/**
 * The same for a thread: what to hand to `new Worker`. A thread does not inherit the source loader, so the program is
 * reached through one that loads it.
 */
export function threadEntry(name: string, callerUrl: string): URL {
  if (!callerUrl.endsWith('.ts')) return new URL(`${name}.js`, callerUrl);
  const program = new URL(`${name}.ts`, callerUrl).href;
  const loader = `import { register } from ${JSON.stringify(import.meta.resolve('tsx/esm/api'))};
register();
await import(${JSON.stringify(program)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(loader)}`);
}
