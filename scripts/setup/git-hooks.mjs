import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';

/**
 * Points git at `.githooks`, once, in a developer's checkout. Leaves alone: CI, a folder that is not the top of a
 * checkout, and anybody who has hooks of their own.
 */
export function activateGitHooks(root) {
  if (process.env.CI === 'true' || !existsSync(path.join(root, '.git')) || !existsSync(path.join(root, '.githooks')))
    return;
  const git = (...args) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8', timeout: 10_000 });

  const top = git('rev-parse', '--show-toplevel');
  // No git, or one that does not trust this folder: hooks are a convenience, CI checks the same things.
  if (top.status !== 0 || realpathSync(top.stdout.trim()) !== realpathSync(root)) return;
  if (git('config', '--get', 'core.hooksPath').stdout.trim() !== '') return;
  const ownHooks = path.resolve(root, git('rev-parse', '--git-path', 'hooks').stdout.trim());
  if (existsSync(ownHooks) && readdirSync(ownHooks).some((name) => !name.endsWith('.sample'))) return;
  git('config', 'core.hooksPath', '.githooks');
}
