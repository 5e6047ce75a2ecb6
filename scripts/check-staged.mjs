/** Pre-commit: what is about to be committed (the staged text, not the working copy) is formatted by Prettier. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import * as prettier from 'prettier';

const git = (...args) => execFileSync('git', args, { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
const top = git('rev-parse', '--show-toplevel').trim();
const staged = git('diff', '--cached', '--name-only', '--diff-filter=ACMR', '-z').split('\0').filter(Boolean);

const unformatted = [];
for (const file of staged) {
  const filepath = path.join(top, file);
  const ignorePath = path.join(top, '.prettierignore');
  const { ignored, inferredParser } = await prettier.getFileInfo(filepath, { ignorePath });
  if (ignored || inferredParser === null) continue;
  const config = await prettier.resolveConfig(filepath);
  const formatted = await prettier.check(git('show', `:${file}`), { ...config, filepath });
  if (!formatted) unformatted.push(file);
}
if (unformatted.length > 0) {
  console.error(`Not formatted; run: npx prettier --write ${unformatted.join(' ')}`);
  process.exitCode = 1;
}
