import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';

/**
 * A virtual environment with exactly what the lock files say; made anew when the Python changes.
 *
 * @param {string} folder of the Python project
 * @param {object} wanted
 * @param {string} wanted.name of the environment's folder, within the project's
 * @param {{ program: string, version: string, hasNumeric: boolean }} wanted.python
 * @param {string[]} wanted.locks names of files under `requirements`; those of calls before stay installed
 * @returns {string} path of the environment's Python
 */
export function prepareVirtualEnvironment(folder, { name, python, locks }) {
  const environment = path.join(folder, name);
  const program = path.join(environment, 'bin', 'python');
  const stamp = path.join(environment, '.infernode-locks');
  const made = `${python.program} ${python.version} ${python.hasNumeric}`;
  const installed = existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : { made: null, locks: {} };
  const fingerprints = Object.fromEntries(locks.map((lock) => [lock, fingerprint(lockFile(folder, lock))]));
  const isMade = installed.made === made;
  if (isMade && locks.every((lock) => installed.locks[lock] === fingerprints[lock])) return program;
  rmSync(stamp, { force: true });
  if (!isMade) {
    console.log(`Making ${path.relative(process.cwd(), environment)} with ${python.program} (${python.version})`);
    rmSync(environment, { recursive: true, force: true });
    const visible = python.hasNumeric ? ['--system-site-packages'] : [];
    run(python.program, ['-m', 'venv', ...visible, environment], 'The virtual environment could not be made');
  }
  const packages = locks.flatMap((lock) => ['--requirement', lockFile(folder, lock)]);
  console.log(`Installing Python packages (${locks.join(', ')})`);
  run(
    program,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', ...packages],
    'The Python packages could not be installed',
  );
  const others = isMade ? installed.locks : {};
  writeFileSync(stamp, JSON.stringify({ made, locks: { ...others, ...fingerprints } }));
  return program;
}

function lockFile(folder, lock) {
  return path.join(folder, 'requirements', `${lock}.lock`);
}

function fingerprint(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function run(program, args, problem) {
  const { status, error } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${problem}: ${program} ended with ${status}`, { cause: error });
}
