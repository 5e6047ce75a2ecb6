import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIsCurrent, buildProject, buildKernels, runsFromFinishedBuild } from './build.mjs';
import { dependenciesAreCurrent, installDependencies } from './dependencies.mjs';
import { activateGitHooks } from './git-hooks.mjs';
import { withSetupLock } from './setup-lock.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

/**
 * Looks first and locks only when there is work, so that a ready checkout may lie on a read-only disk and costs
 * milliseconds.
 *
 * @param {{ kernels: boolean, build: boolean }} wanted
 */
export async function prepare(wanted) {
  if (wanted.build && runsFromFinishedBuild(root)) return;
  activateGitHooks(root);
  const needsWork = () => !dependenciesAreCurrent(root) || (wanted.build && !buildIsCurrent(root));
  if (!needsWork() && !wanted.kernels) return;

  await withSetupLock(path.join(root, '.ensure-ready.lock'), async (lock) => {
    if (!dependenciesAreCurrent(root)) await installDependencies(root, lock);
    if (wanted.build && !buildIsCurrent(root)) await buildProject(root, lock);
    else if (wanted.kernels) await buildKernels(root, lock);
  });
}
