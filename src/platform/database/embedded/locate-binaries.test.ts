import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { locateBinaries } from './locate-binaries.js';

describe('locateBinaries', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'pg-package-'));
    for (const name of ['bin/postgres', 'bin/initdb', 'lib/libpq.so.5.18']) {
      await fs.mkdir(path.dirname(path.join(folder, 'native', name)), { recursive: true });
      await fs.writeFile(path.join(folder, 'native', name), name, { mode: 0o644 });
    }
    await list([{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]);
  });

  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  const list = (links: unknown): Promise<void> =>
    fs.writeFile(path.join(folder, 'native', 'pg-symlinks.json'), JSON.stringify(links));

  it('does what a blocked install script left undone, several callers at once', async () => {
    const found = await Promise.all(Array.from({ length: 8 }, () => locateBinaries(folder)));
    await locateBinaries(folder);
    expect(await fs.readlink(path.join(folder, 'native/lib/libpq.so.5'))).toBe('libpq.so.5.18');
    expect((await fs.stat(found[0].initdb)).mode & 0o111).toBe(0o111);
  });

  it('names the link that is missing and cannot be made', async () => {
    await list([{ source: 'native/lib/libpq.so.5.18', target: 'native/gone/libpq.so.5' }]);
    await expect(locateBinaries(folder)).rejects.toThrow(/native\/gone\/libpq\.so\.5 is missing and cannot be made/);
  });

  it('refuses a list it does not understand', async () => {
    await list({ libpq: 'libpq.so.5' });
    await expect(locateBinaries(folder)).rejects.toThrow(/is not a list of links/);
  });

  it('finds the installed package', async () => {
    const { postgres } = await locateBinaries();
    await fs.access(postgres, fs.constants.X_OK);
  });
});
