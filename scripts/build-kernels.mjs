// Compiles the AssemblyScript kernels to WebAssembly, each `<name>.as.ts` to `<name>.wasm` beside it. A kernel whose
// sources, flags and compiler are those of its last build is skipped: their fingerprint ends the module as a custom
// section. `<name>.part.as.ts` is no kernel of its own but a part that kernels import.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCE_SUFFIX = '.as.ts';
const PART_SUFFIX = '.part.as.ts';
const FLAGS = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd'];
const COMPILE_TIMEOUT_MS = 120_000;
const SECTION_NAME = 'fingerprint';
const FOLDERS = ['../src/platform/media/kernels/', '../src/runners/embedded/kernels/'];
const compilerManifest = createRequire(import.meta.url).resolve('assemblyscript/package.json');
const compiler = join(dirname(compilerManifest), 'bin', 'asc.js');
const { version } = JSON.parse(await readFile(compilerManifest, 'utf8'));

for (const folder of FOLDERS) await buildFolder(fileURLToPath(new URL(folder, import.meta.url)));

async function buildFolder(folder) {
  const sources = (await readdir(folder)).filter((name) => name.endsWith(SOURCE_SUFFIX)).sort();
  const parts = await Promise.all(sources.filter(isPart).map((name) => readFile(join(folder, name))));
  for (const file of sources.filter((name) => !isPart(name))) await buildKernel(folder, file, parts);
}

function isPart(name) {
  return name.endsWith(PART_SUFFIX);
}

async function buildKernel(folder, file, parts) {
  const source = join(folder, file);
  const target = join(folder, file.slice(0, -SOURCE_SUFFIX.length) + '.wasm');
  const section = fingerprintSection([await readFile(source), ...parts]);
  const built = await readOrNull(target);
  if (built?.subarray(-section.length).equals(section)) return;
  // A name of its own until complete: two builds at once, or one that is cut short, never leave half a module.
  const partial = `${target}.${process.pid}.partial`;
  try {
    await promisify(execFile)(process.execPath, [compiler, source, '-o', partial, ...FLAGS], {
      timeout: COMPILE_TIMEOUT_MS,
    });
    await writeFile(partial, Buffer.concat([await readFile(partial), section]));
    await rename(partial, target);
    process.stdout.write(`built ${file}\n`);
  } catch (error) {
    process.stderr.write(`Cannot compile ${file}:\n${error.stderr || error.message}\n`);
    process.exitCode = 1;
  } finally {
    await rm(partial, { force: true });
  }
}

/** A WebAssembly custom section (id 0) named SECTION_NAME; every length fits one LEB128 byte. */
function fingerprintSection(sources) {
  const digest = createHash('sha256').update(version).update(FLAGS.join(' ')).update(Buffer.concat(sources)).digest();
  const name = Buffer.from(SECTION_NAME);
  return Buffer.concat([Buffer.from([0, 1 + name.length + digest.length, name.length]), name, digest]);
}

async function readOrNull(path) {
  try {
    return await readFile(path);
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}
