/**
 * Words that must not reach the repository, each with the reason. Looks at tracked and new files alike. The patterns
 * are written so that this file does not match itself.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const CODE = /\.(?:[cm]?[jt]sx?|py|sh)$/;
const TEXT = /\.(?:[cm]?[jt]sx?|py|sh|md|ya?ml|json|html|css|sql|cjs|example)$|(?:^|\/)(?:Dockerfile|NOTICE|run)$/;

const FORBIDDEN = [
  { pattern: /\b(?:TO[D]O|FIX[M]E|X[X]X)\b/, where: CODE, reason: 'finish it, or write down as an issue what is left' },
  { pattern: /\bnot implemente[d]\b/i, where: CODE, reason: 'a path that a user can reach has to work' },
  {
    pattern: /\bas an[y]\b|<an[y]>|:\s*an[y]\b(?=\s*[;,)=])/,
    where: /\.[cm]?tsx?$/,
    reason: 'name the type, or take unknown and narrow it',
  },
  { pattern: /@ts-(?:ignor[e]|nochec[k]|expect-erro[r])/, where: CODE, reason: 'mend the type' },
  {
    pattern: /eslint-disabl[e]|prettier-ignor[e]/,
    where: CODE,
    reason: 'mend the code, or change the rule for everybody',
  },
  {
    pattern: /\b(?:it|test|describe)\.(?:ski[p]|onl[y]|tod[o])\b/,
    where: CODE,
    reason: 'a test runs, or it is not there',
  },
  { pattern: /expect\(tru[e]\)/, where: CODE, reason: 'asserts nothing' },
  {
    pattern: /catch\s*(?:\([^)]*\)\s*)?\{\s*\}/,
    where: CODE,
    reason: 'handle, log or rethrow, or say why not in a comment on that line',
  },
  {
    pattern: /\.catch\(\(\)\s*=>\s*(?:\{\s*\}|undefined|null)\)(?!.*\/\/ )/,
    where: CODE,
    reason: 'handle, log or rethrow, or say why not in a comment on that line',
  },
  { pattern: /(?<![\w.])\/work\/(?:main|share[d])\b/, where: TEXT, reason: 'a path of one machine' },
  { pattern: /-----BEGIN (?:[A-Z]+ )?PRIVATE KE[Y]-----/, where: /./, reason: 'a secret' },
];

const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\0')
  .filter((file) => file !== '' && !file.startsWith('tests/fixtures/') && file !== 'package-lock.json');

let found = 0;
for (const file of files) {
  const rules = FORBIDDEN.filter(({ where }) => where.test(file));
  if (rules.length === 0) continue;
  for (const [index, line] of readLines(file).entries()) {
    for (const { pattern, reason } of rules) {
      if (!pattern.test(line)) continue;
      found += 1;
      console.error(`${file}:${index + 1}: ${line.trim().slice(0, 100)}\n  ${reason}`);
    }
  }
}
if (found > 0) {
  console.error(`\n${found} forbidden ${found === 1 ? 'word' : 'words'}.`);
  process.exitCode = 1;
}

function readLines(file) {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    // Deleted but not yet committed, or a link to a folder.
    if (error.code === 'ENOENT' || error.code === 'EISDIR') return [];
    throw error;
  }
}
