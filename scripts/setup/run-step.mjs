import { spawn } from 'node:child_process';
import path from 'node:path';

const DEADLINE_MS = 20 * 60_000;

/** A failure whose message says all a user needs; printed without a stack. */
export class SetupError extends Error {
  expected = true;
}

/**
 * Runs one command quietly: one line with the time it took, and everything it wrote when it fails.
 *
 * @param {{ label: string | null, command: string, args: string[], cwd: string, lock: { attach(pid: number): void } }} step
 *   `label`: null prints nothing on success; `lock` is told the child's pid, so that nobody takes over while it works
 */
export async function runStep({ label, command, args, cwd, lock }) {
  const startedAt = performance.now();
  if (label !== null) process.stderr.write(`${label} … `);
  const { code, signal, output } = await runToEnd(command, args, cwd, lock);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (code === 0) {
    if (label !== null) process.stderr.write(`${seconds} s\n`);
    return;
  }
  if (label !== null) process.stderr.write(`failed after ${seconds} s\n`);
  const ending = signal === null ? `exit code ${code}` : `signal ${signal}`;
  throw new SetupError(`${output.trimEnd()}\n\n${[path.basename(command), ...args].join(' ')} ended with ${ending}.`);
}

/** The npm that runs this script when there is one (it may not be in PATH), else the one in PATH. */
export function npmCommand(args) {
  const running = process.env.npm_execpath;
  if (running && /npm-cli\.[cm]?js$/.test(running)) return { command: process.execPath, args: [running, ...args] };
  return { command: process.platform === 'win32' ? 'npm.cmd' : 'npm', args };
}

function runToEnd(command, args, cwd, lock) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEADLINE_MS,
      shell: command.endsWith('.cmd'),
    });
    if (child.pid !== undefined) lock.attach(child.pid);
    let output = '';
    const collect = (chunk) => (output += chunk);
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);

    const passOn = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, passOn);
    const settle = (action) => {
      for (const signal of signals) process.off(signal, passOn);
      action();
    };
    child.once('error', (error) =>
      settle(() =>
        reject(error.code === 'ENOENT' ? new SetupError(`${command} was not found; is it installed?`) : error),
      ),
    );
    child.once('close', (code, signal) => settle(() => resolve({ code, signal, output })));
  });
}
