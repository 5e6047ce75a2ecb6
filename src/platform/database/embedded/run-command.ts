import { spawn } from 'node:child_process';

export interface CommandOptions {
  uid?: number;
  gid?: number;
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface CommandResult {
  /** 0 when it went well; `null` when a signal, the timeout included, ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs a short command to its end, in `/` and with a minimal environment.
 *
 * @throws the signal's reason when aborted; the system error when the command cannot be started at all
 */
export function runCommand(command: string, args: string[], options: CommandOptions): Promise<CommandResult> {
  const { timeoutMs, signal, ...user } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...user,
      signal,
      timeout: timeoutMs,
      cwd: '/',
      env: minimalEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    let failure: Error | undefined;
    child.on('error', (error) => {
      failure = error;
      if (child.pid === undefined) reject(error);
    });
    child.on('close', (code) => {
      if (signal?.aborted) reject(toError(signal.reason));
      else if (failure) reject(failure);
      else resolve({ code, stdout, stderr });
    });
  });
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** Our own environment holds secrets, and `PG*` variables that would steer the server: neither is handed on. */
export function minimalEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' };
}
