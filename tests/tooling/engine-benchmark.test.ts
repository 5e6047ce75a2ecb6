import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const golden = join(root, 'tests/fixtures/golden/dev-a-translate-xy');
const FRAMES = 6;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engine-benchmark-'));
  await mkdir(join(folder, 'short'));
  await mkdir(join(folder, 'no case'));
  for (const name of ['goal.mp4', 'current.mp4']) await symlink(join(golden, name), join(folder, 'short', name));
  const description = JSON.parse(await readFile(join(golden, 'case.json'), 'utf8')) as object;
  await writeFile(join(folder, 'short', 'case.json'), JSON.stringify({ ...description, current_frame_count: FRAMES }));
  const reference = JSON.parse(await readFile(join(golden, 'reference.json'), 'utf8')) as ReferenceFile;
  const { robust } = reference.detectors.ORB;
  const detectors = { ORB: { robust: { ibvs: robust.ibvs.slice(0, FRAMES) } } };
  await writeFile(join(folder, 'short', 'reference.json'), JSON.stringify({ ideal: reference.ideal, detectors }));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

interface ReferenceFile {
  ideal: object;
  detectors: { ORB: { robust: { ibvs: number[][] } } };
}

async function benchmark(...words: string[]): Promise<string> {
  const program = join(root, 'benchmarks/engine/main.ts');
  const env = { ...process.env };
  delete env.CNS_WEIGHTS;
  delete env.ENGINE_REFERENCE;
  const run = promisify(execFile)(process.execPath, ['--import', 'tsx', program, ...words], { cwd: root, env });
  return (await run).stdout;
}

it('prints speed and accuracy of every case of a folder, and says what could not be run', async () => {
  const words = ['--cases', folder, '--detectors', 'ORB', '--rounds', '1'];
  const report = await benchmark(...words, '--out', join(folder, 'report.md'));
  expect(await readFile(join(folder, 'report.md'), 'utf8')).toBe(report);
  const rows = report.split('\n').filter((line) => line.startsWith('| short | ORB | ibvs |'));
  const [speed, accuracy] = rows.map((line) => line.split('|').map((cell) => cell.trim()));
  expect(Number(speed[4])).toBeGreaterThan(0);
  expect(speed.slice(5, 8)).toEqual(['not run', 'not run', 'not run']);
  expect(accuracy[4]).toBe(`0 of ${FRAMES}`);
  expect(Number(accuracy[5])).toBeLessThan(0.2);
  expect(report).toContain('The reference program is not at hand');
  expect(report).toContain('No policy cns');
});

it('refuses a folder without golden cases', async () => {
  await expect(benchmark('--cases', join(folder, 'no case'))).rejects.toThrow(/No golden case/);
});
