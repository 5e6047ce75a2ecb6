import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { npmCommand, runStep } from './run-step.mjs';

/** What a build depends on beside `src`. */
const BUILD_INPUTS = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/copy-assets.mjs',
];

/**
 * A container image: built `dist`, dependencies installed to the end (npm writes its record last), none of those that
 * build. Whatever its sources look like, there is nothing to do. An installation that was cut off is none of this.
 *
 * Told by the compiler of the kernels: that of the sources is an optional companion of a package that is needed to run, so
 * npm installs it even where development tools are left out.
 */
export function runsFromFinishedBuild(root) {
  const has = (...parts) => existsSync(path.join(root, ...parts));
  const record = path.join(root, 'node_modules', '.package-lock.json');
  if (!has('dist') || !existsSync(record) || has('node_modules', 'assemblyscript', 'package.json')) return false;
  const { packages = {} } = JSON.parse(readFileSync(record, 'utf8'));
  return packages['node_modules/assemblyscript'] === undefined && packages['node_modules/express'] !== undefined;
}

export function buildIsCurrent(root) {
  const stamp = stampPath(root);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === sourceFingerprint(root);
}

/** Builds from nothing, so that a module whose source is gone does not live on in `dist`. */
export async function buildProject(root, lock) {
  const fingerprint = sourceFingerprint(root);
  rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  await runStep({ label: 'Building', ...npmCommand(['run', '--silent', 'build']), cwd: root, lock });
  writeFileSync(stampPath(root), fingerprint);
}

/** The script itself skips what is up to date, hence no label: most calls have nothing to say. */
export async function buildKernels(root, lock) {
  const script = path.join(root, 'scripts', 'build-kernels.mjs');
  if (!existsSync(script)) return;
  await runStep({ label: null, command: process.execPath, args: [script], cwd: root, lock });
}

function stampPath(root) {
  return path.join(root, 'dist', '.infernode-build');
}

/** By content, not by time: a clone, a checkout of an older commit or a copied folder all have misleading times. */
function sourceFingerprint(root) {
  const hash = createHash('sha256');
  const add = (file) => {
    hash
      .update(`${file}\0`)
      .update(readFileSync(path.join(root, file)))
      .update('\0');
  };
  for (const file of BUILD_INPUTS) if (existsSync(path.join(root, file))) add(file);
  for (const file of sourceFiles(root)) add(file);
  return hash.digest('hex');
}

function sourceFiles(root) {
  return readdirSync(path.join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.wasm') && !entry.name.endsWith('.test.ts'))
    .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}
