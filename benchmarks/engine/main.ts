/**
 * The embedded engine against the Python reference, in one run, in turn, each on one and the same core:
 *
 *   npm run bench:engine -- [--cases FOLDER] [--detectors A,B] [--policies ibvs,cns] [--rounds N] [--cpu CORE]
 *                           [--reference FOLDER] [--python PROGRAM] [--weights FILE] [--out FILE]
 *
 * `--cases` (default: the committed golden cases) is a folder of golden cases. `--reference` (or ENGINE_REFERENCE) is the
 * folder of the reference's `run_case.py`; without it the stored figures are used for accuracy and the speed column says
 * so. `--weights` (or CNS_WEIGHTS) is needed for the policy cns. Prints Markdown; `--out` writes it to a file as well.
 */
import { spawn, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadGoldenFolder } from './golden-folder.js';
import { measureEngine } from './measure.js';
import { ReferenceProgram } from './reference-program.js';
import { renderReport } from './report.js';

const { values: options } = parseArgs({
  options: {
    cases: { type: 'string', default: fileURLToPath(new URL('../../tests/fixtures/golden', import.meta.url)) },
    detectors: { type: 'string', default: 'SIFT,ORB,AKAZE' },
    policies: { type: 'string', default: 'ibvs,cns' },
    rounds: { type: 'string', default: '3' },
    cpu: { type: 'string', default: String(os.availableParallelism() - 1) },
    reference: { type: 'string', default: process.env.ENGINE_REFERENCE },
    python: { type: 'string', default: 'python3' },
    weights: { type: 'string', default: process.env.CNS_WEIGHTS },
    out: { type: 'string' },
    /** Set on the pinned process itself. */
    pinned: { type: 'boolean', default: false },
  },
});

/** Runs this same program bound to one core; everything it starts inherits that. */
async function runPinned(): Promise<number | null> {
  const words = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2), '--pinned'];
  const child = spawn('taskset', ['-c', options.cpu, process.execPath, ...words], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}

function isPinningPossible(): boolean {
  return spawnSync('taskset', ['-c', options.cpu, 'true']).status === 0;
}

async function benchmark(): Promise<void> {
  const { reference: folder, python, weights } = options;
  const rounds = Number(options.rounds);
  const reference = folder === undefined ? null : new ReferenceProgram({ folder, python, weights });
  const plan = {
    cases: await loadGoldenFolder(options.cases),
    detectors: options.detectors.split(','),
    policies: options.policies.split(','),
    rounds,
    weights,
  };
  const { rows, notes } = await measureEngine(plan, reference, (line) => process.stderr.write(`${line}\n`));
  const pinnedTo = options.pinned ? options.cpu : null;
  const report = renderReport({ rows, notes, rounds, pinnedTo, hasReference: reference !== null });
  process.stdout.write(report);
  if (options.out !== undefined) await writeFile(options.out, report);
}

if (!options.pinned && isPinningPossible()) process.exitCode = (await runPinned()) ?? 1;
else await benchmark();
