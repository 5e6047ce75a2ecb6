import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readZip } from '../../../tests/support/zip-content.js';
import { RunnerStorageError } from '../runner.errors.js';
import { openResultArchive } from './result-archive.js';

const hasUnzip = spawnSync('unzip', ['-v']).status === 0;

describe('openResultArchive', () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'result-archive-'));
    path = join(folder, 'result.zip');
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('appears complete under its final name', async () => {
    const picture = randomBytes(300_000);
    const archive = await openResultArchive(path);
    await archive.addStored('images/a.jpg', picture);
    expect(await readdir(folder)).toEqual(['result.zip.part']);
    await archive.addText('b.csv', ['frame\n', '1\n']);
    await archive.finish();
    await archive.discard();

    expect(await readdir(folder)).toEqual(['result.zip']);
    const content = await readZip(path);
    expect([...content.keys()]).toEqual(['images/a.jpg', 'b.csv']);
    expect(content.get('images/a.jpg')?.equals(picture)).toBe(true);
    expect(content.get('b.csv')?.toString()).toBe('frame\n1\n');
  });

  it.runIf(hasUnzip)('is intact for the unzip of the system', async () => {
    const archive = await openResultArchive(path);
    for (let k = 0; k < 20; k++) await archive.addStored(`images/${k}.jpg`, randomBytes(50_000));
    await archive.addText('result.json', ['{}', '\n']);
    await archive.finish();
    const { status, stdout } = spawnSync('unzip', ['-t', path], { encoding: 'utf8' });
    expect(stdout).toContain('No errors detected');
    expect(status).toBe(0);
  });

  it('leaves nothing when it is given up half-way', async () => {
    const archive = await openResultArchive(path);
    await archive.addStored('images/a.jpg', randomBytes(300_000));
    await archive.discard();
    await archive.discard();
    expect(await readdir(folder)).toEqual([]);
  });

  it('says that the disk is at fault when the folder is gone', async () => {
    const opening = openResultArchive(join(folder, 'missing', 'result.zip'));
    await expect(opening).rejects.toBeInstanceOf(RunnerStorageError);
  });

  it.runIf(process.platform === 'linux')('says that the disk is at fault when it is full', async () => {
    // A device that answers every write with ENOSPC; the archive only adds `.part` to the name it is given.
    await symlink('/dev/full', `${path}.part`);
    const archive = await openResultArchive(path);
    const writing = (async () => {
      await archive.addStored('images/a.jpg', randomBytes(300_000));
      await archive.finish();
    })();
    await expect(writing).rejects.toThrow(/ENOSPC/);
    await archive.discard();
    expect(await readdir(folder)).toEqual([]);
  });

  it('keeps memory flat over many pictures', async () => {
    const archive = await openResultArchive(path);
    const before = process.memoryUsage().arrayBuffers;
    for (let k = 0; k < 300; k++) await archive.addStored(`images/${k}.jpg`, randomBytes(500_000));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000);
    await archive.finish();
    await archive.discard();
    expect((await readZip(path)).size).toBe(300);
  });
});
