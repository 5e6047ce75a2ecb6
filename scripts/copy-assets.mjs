/** Copies what the compiler leaves out (WebAssembly, JSON, pages, pictures, CommonJS, protocols) from `src` to the same place in `dist`. */
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ASSET = /\.(wasm|cjs|json|html|svg|proto)$/;
const root = fileURLToPath(new URL('..', import.meta.url));
const source = path.join(root, 'src');
const target = path.join(root, 'dist');

for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
  const folder = path.relative(source, entry.parentPath ?? entry.path);
  const isFixture = folder.split(path.sep).includes('__fixtures__');
  if (!entry.isFile() || !ASSET.test(entry.name) || isFixture || /^tsconfig.*\.json$/.test(entry.name)) continue;
  mkdirSync(path.join(target, folder), { recursive: true });
  cpSync(path.join(source, folder, entry.name), path.join(target, folder, entry.name));
}
