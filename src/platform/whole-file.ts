import { randomUUID } from 'node:crypto';
import { link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Whole or not at all: written aside, then linked, which fails if the name is taken.
 * @returns false when it is
 */
export async function writeNewFile(file: string, content: string, mode: number): Promise<boolean> {
  await mkdir(path.dirname(file), { recursive: true });
  const aside = await writeAside(file, content, mode);
  try {
    await link(aside, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

/** Whole or not at all, too, in the place of what was there. */
export async function replaceFile(file: string, content: string | Buffer, mode: number): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const aside = await writeAside(file, content, mode);
  try {
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

/** Belongs to whom its folder belongs: what root writes into it can be read by the server all the same. */
async function writeAside(file: string, content: string | Buffer, mode: number): Promise<string> {
  const folder = await stat(path.dirname(file));
  const aside = `${file}.${randomUUID()}.new`;
  const handle = await open(aside, 'wx', mode);
  try {
    if (process.getuid?.() === 0) await handle.chown(folder.uid, folder.gid);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return aside;
}
