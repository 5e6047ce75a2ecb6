import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { npmCommand, runStep } from './run-step.mjs';

/** True when `node_modules` holds what package-lock.json asks for, whoever installed it. */
export function dependenciesAreCurrent(root) {
  const modules = path.join(root, 'node_modules');
  if (!existsSync(modules)) return false;
  const marker = path.join(modules, '.infernode-lock');
  if (existsSync(marker)) return readFileSync(marker, 'utf8') === lockHash(root);
  // No marker: somebody ran npm by hand. npm's own record tells whether that left the right thing behind.
  return installedMatchesLock(root);
}

/** Exactly what the lock file says, development tools included: NODE_ENV=production must not leave out the compiler. */
export async function installDependencies(root, lock) {
  const marker = path.join(root, 'node_modules', '.infernode-lock');
  const hash = lockHash(root);
  rmSync(marker, { force: true });
  const npm = npmCommand(['ci', '--include=dev', '--include=optional', '--no-progress', '--loglevel=error']);
  await runStep({ label: 'Installing dependencies', ...npm, cwd: root, lock });
  writeFileSync(marker, hash);
}

function lockHash(root) {
  return createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
}

function installedMatchesLock(root) {
  const record = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages ?? {};
  const wanted = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages ?? {};
  return Object.entries(wanted).every(([place, entry]) => {
    if (place === '' || !place.startsWith('node_modules/')) return true;
    // Optional packages are left out on platforms that they are not made for.
    if (installed[place] === undefined) return entry.optional === true || entry.devOptional === true;
    return installed[place].version === entry.version;
  });
}
