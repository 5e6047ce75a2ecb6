import fs from 'node:fs/promises';
import { writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../../tests/support/embedded-postgres.js';
import { openServerLog } from './server-log.js';

describe('openServerLog', () => {
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'pg-log-'));
    file = path.join(folder, 'server.log');
  });

  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  it('appends, and tells only what was written since', async () => {
    await fs.writeFile(file, 'FATAL:  of yesterday\n');
    const log = openServerLog(file, silentLogger);
    writeSync(log.descriptor, 'FATAL:  of today\n');
    expect(log.tail()).toBe('FATAL:  of today');
    log.close();
    expect(await fs.readFile(file, 'utf8')).toBe('FATAL:  of yesterday\nFATAL:  of today\n');
  });

  it('keeps one predecessor of a log that has grown large', async () => {
    const large = 'x'.repeat(6 * 1024 * 1024);
    await fs.writeFile(file, large);
    const log = openServerLog(file, silentLogger);
    writeSync(log.descriptor, 'new\n');
    expect(log.tail()).toBe('new');
    log.close();
    expect(await fs.readFile(file, 'utf8')).toBe('new\n');
    expect((await fs.stat(`${file}.1`)).size).toBe(large.length);
  });

  it('does not follow a link', async () => {
    await fs.symlink(path.join(folder, 'elsewhere'), file);
    expect(() => openServerLog(file, silentLogger)).toThrow('ELOOP');
  });
});
