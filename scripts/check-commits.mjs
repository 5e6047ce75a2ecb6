/**
 * Holds every commit message against commitlint.config.js, in one process.
 *
 *   node scripts/check-commits.mjs             all commits that HEAD reaches
 *   node scripts/check-commits.mjs main..HEAD  those of a range
 *   node scripts/check-commits.mjs --file F    the message in a file (commit-msg hook)
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import lint from '@commitlint/lint';
import load from '@commitlint/load';

const { rules, parserPreset } = await load();
const options = { parserOpts: parserPreset?.parserOpts };
const [first = 'HEAD', second = ''] = process.argv.slice(2);
const messages = first === '--file' ? [messageInFile(second)] : messagesOf(first);

let refused = 0;
for (const { name, text } of messages) {
  const report = await lint(text, rules, options);
  if (report.valid) continue;
  refused += 1;
  console.error(`${name}: ${text.split('\n')[0]}`);
  for (const problem of report.errors) console.error(`  ${problem.message} [${problem.name}]`);
}
if (refused > 0) {
  console.error(`\n${refused} of ${messages.length} commit messages refused. See "Commits" in CONTRIBUTING.md.`);
  process.exitCode = 1;
} else if (first !== '--file') {
  console.log(`${messages.length} commit messages checked.`);
}

/** Merge commits get their text from git, not from a person. */
function messagesOf(range) {
  const log = execFileSync('git', ['log', '--no-merges', '--format=%h%x00%B%x01', range, '--'], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  return log
    .split('\x01')
    .map((entry) => entry.trimStart().split('\0'))
    .filter(([name, text]) => name !== '' && text !== undefined)
    .map(([name, text]) => ({ name, text: text.trim() }));
}

function messageInFile(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  // Below the scissors line git shows the diff; lines with # are its own help.
  const scissors = lines.findIndex((line) => line.startsWith('# ------------------------ >8'));
  const kept = (scissors === -1 ? lines : lines.slice(0, scissors)).filter((line) => !line.startsWith('#'));
  return { name: 'commit message', text: kept.join('\n').trim() };
}
