/**
 * Starts the model server (model-server/), which needs Python 3.10 or newer. Makes its virtual environment first, from the
 * lock files, in model-server/.venv; nothing is done twice.
 *
 *   node scripts/model-server.mjs                   starts it; settings are the environment's MODEL_SERVER_…
 *   node scripts/model-server.mjs --prepare         makes the environment only, and prints its Python
 *   node scripts/model-server.mjs --prepare-test    makes all that --test needs
 *   node scripts/model-server.mjs --can-test        tells whether that takes minutes rather than gigabytes
 *   node scripts/model-server.mjs --test [REPORT]   lint, types and tests; the report is one that sum-tests.mjs reads
 *
 * Where a Python has PyTorch, OpenCV and scikit-learn, as Debian packages them, its are used. Otherwise they come from the
 * package index, which for Linux means PyTorch with CUDA: some gigabytes. MODEL_SERVER_PYTHON names the Python to take.
 */
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPython, PythonMissingError } from './setup/find-python.mjs';
import { prepareVirtualEnvironment } from './setup/python-environment.mjs';
import { writePytestReport } from './setup/pytest-report.mjs';

const FOLDER = fileURLToPath(new URL('../model-server', import.meta.url));

const [mode = '--start', report] = process.argv.slice(2);
try {
  main();
} catch (error) {
  console.error(error instanceof PythonMissingError ? error.message : error);
  process.exitCode = 1;
}

function main() {
  const python = findPython(process.env.MODEL_SERVER_PYTHON);
  if (mode === '--can-test') return tellWhetherTestable(python);
  const forTests = mode === '--test' || mode === '--prepare-test';
  const locks = [...(python.hasNumeric ? [] : ['numeric']), 'server', ...(forTests ? ['test'] : [])];
  const program = prepareVirtualEnvironment(FOLDER, { name: '.venv', python, locks });
  if (mode === '--prepare') return console.log(program);
  if (!forTests) return start(program);
  const programWithCodecarbon = prepareVirtualEnvironment(FOLDER, codecarbon(python));
  if (mode === '--test') test(program, programWithCodecarbon);
}

function tellWhetherTestable(python) {
  if (python.hasNumeric) return;
  console.log(
    `${python.program} has no PyTorch, OpenCV and scikit-learn of its own. ` +
      'On Debian: apt-get install python3-venv python3-torch python3-opencv python3-sklearn',
  );
  process.exitCode = 1;
}

function start(program) {
  const environment = { ...process.env, PYTHONPATH: FOLDER };
  const child = spawn(program, ['-m', 'infernode_model_server'], { stdio: 'inherit', env: environment });
  // Ctrl-C reaches both; what is sent to this process alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? code : 1;
  });
}

/** It brings a numpy of its own, which would stand before the one that the system's PyTorch was built with. */
function codecarbon(python) {
  return { name: '.venv/codecarbon', python: { ...python, hasNumeric: false }, locks: ['codecarbon'] };
}

function test(program, programWithCodecarbon) {
  const junit = path.join(FOLDER, '.venv', 'junit.xml');
  const steps = [
    ['ruff', 'check', '.'],
    ['ruff', 'format', '--check', '.'],
    ['mypy'],
    ['pytest', '--quiet', '--numprocesses=2', '--dist=loadfile', `--junitxml=${junit}`],
  ];
  const environment = { PYTHONPATH: FOLDER, OPENBLAS_NUM_THREADS: '1', CODECARBON_PYTHON: programWithCodecarbon };
  for (const [name, ...args] of steps) {
    console.log(`${name} ${args[0] ?? ''}`);
    const { status } = spawnSync(program, ['-m', name, ...args], {
      cwd: FOLDER,
      stdio: 'inherit',
      env: { ...process.env, ...environment },
    });
    if (status !== 0) process.exitCode = 1;
  }
  if (report !== undefined) writePytestReport(junit, report);
}
