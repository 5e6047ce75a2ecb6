import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildZip, type BuiltArchive, type BuiltEntry } from '../../../tests/support/zip-builder.js';
import { crc32 } from '../crc32.js';
import { ArchiveError, ZipArchive, type ArchiveLimits, type ArchiveProblem } from './zip-archive.js';

const LIMITS: ArchiveLimits = { maxEntries: 100, maxTotalBytes: 50_000_000 };
const TEXT = Buffer.from('some content');
const LINK = 0o120777 * 0x10000;
const NAMED_PIPE = 0o010644 * 0x10000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'zip-archive-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function written(bytes: Buffer): Promise<string> {
  const file = path.join(folder, `${files++}.zip`);
  await writeFile(file, bytes);
  return file;
}

/** Opens an archive and reads every entry to its end. */
async function unpack(bytes: Buffer, limits = LIMITS): Promise<Record<string, Buffer>> {
  const archive = await ZipArchive.open(await written(bytes), limits);
  try {
    const contents: Record<string, Buffer> = {};
    for (const entry of archive.entries) {
      const chunks: Buffer[] = [];
      for await (const chunk of archive.content(entry)) chunks.push(chunk);
      contents[entry.path] = Buffer.concat(chunks);
    }
    return contents;
  } finally {
    archive.close();
  }
}

const refuses = (bytes: Buffer, problem: ArchiveProblem, message: RegExp, limits = LIMITS) =>
  expect(unpack(bytes, limits)).rejects.toMatchObject({
    name: 'ArchiveError',
    problem,
    message: expect.stringMatching(message) as string,
  });

const entry = (changes: Partial<BuiltEntry> = {}): BuiltEntry => ({ name: 'file.txt', data: TEXT, ...changes });

/** Info-ZIP's extra field with the name in Unicode, which counts instead of the name itself. */
function renamed(name: string, unicode: string): Partial<BuiltEntry> {
  const extra = Buffer.alloc(9 + unicode.length);
  extra.writeUInt16LE(0x7075, 0);
  extra.writeUInt16LE(5 + unicode.length, 2);
  extra.writeUInt8(1, 4);
  extra.writeUInt32LE(crc32(Buffer.from(name)), 5);
  extra.write(unicode, 9);
  return { name, extra };
}

describe('ZipArchive', () => {
  it.each<[string, Partial<BuiltEntry>, BuiltArchive?]>([
    ['deflated', {}],
    ['stored', { method: 0 }],
    ['empty', { data: Buffer.alloc(0) }],
    ['with sizes behind the data', { hasDescriptor: true }],
    ['with sizes of ZIP64', { isZip64: true }, { isZip64: true }],
    ['of a regular file on Unix', { externalAttributes: 0o100644 * 0x10000 }],
    ['beside a comment', {}, { comment: 'made by hand' }],
    ['in a folder with a name beyond ASCII', { name: 'Ordner/Bild ä.png' }],
  ])('reads an entry %s', async (_name, changes, archive) => {
    const built = entry(changes);
    expect(await unpack(buildZip([built], archive))).toEqual({ [String(built.name)]: built.data });
  });

  it('takes backslashes for slashes, as old tools on Windows write them', async () => {
    expect(Object.keys(await unpack(buildZip([entry({ name: 'folder\\file' })])))).toEqual(['folder/file']);
  });

  it('reads entries in any order, and leaves out folders', async () => {
    const bytes = buildZip([
      { name: 'folder/', data: Buffer.alloc(0), method: 0 },
      entry({ name: 'folder/b' }),
      entry({ name: 'a', data: Buffer.alloc(300_000, 'abc') }),
    ]);
    const archive = await ZipArchive.open(await written(bytes), LIMITS);
    expect(archive.entries).toEqual([
      { path: 'folder/b', bytes: TEXT.length },
      { path: 'a', bytes: 300_000 },
    ]);
    archive.close();
  });

  it.each<[string, Partial<BuiltEntry>, RegExp]>([
    ['leads out of the archive', { name: '../escape.mp4' }, /points outside/],
    ['leads out of it on the way', { name: 'a/../../escape.mp4' }, /points outside/],
    ['leads out of it with backslashes', { name: 'a\\..\\..\\escape.mp4' }, /points outside/],
    ['is absolute', { name: '/etc/passwd' }, /points outside/],
    ['is on a drive', { name: 'C:\\windows' }, /points outside/],
    ['holds NUL', { name: 'a\0.mp4' }, /control characters/],
    ['holds a line break', { name: 'a\nb.mp4' }, /control characters/],
    ['reads backwards', { name: 'a\u202egpj.exe' }, /control characters/],
    ['is no text', { name: Buffer.from([0x61, 0xff, 0xfe]) }, /control characters/],
    ['is empty', { name: '' }, /control characters/],
    ['is endless', { name: 'a'.repeat(2000) }, /too long/],
    ['is that of a link', { externalAttributes: LINK }, /link/],
    ['is that of a named pipe', { externalAttributes: NAMED_PIPE }, /special file/],
    ['is encrypted', { flags: 0x801 }, /encrypted/],
    ['has an encrypted header', { flags: 0x2800 }, /encrypted/],
    ['is compressed with bzip2', { method: 12 }, /method 12/],
    ['is encrypted with AES', { method: 99 }, /method 99/],
    ['is a folder with content', { name: 'folder/', method: 0 }, /has content/],
  ])('refuses an entry whose name %s', async (_name, changes, message) => {
    await refuses(buildZip([entry({ name: 'fine' }), entry(changes)]), 'refused', message);
  });

  it('refuses strong encryption', async () => {
    await refuses(buildZip([entry({ flags: 0x841 })]), 'corrupt', /table of contents/);
  });

  it.each<[string, Partial<BuiltEntry>]>([
    ['extra fields', { extra: Buffer.alloc(65_532, Buffer.from([0x77, 0x77, 0, 0])) }],
    ['a comment', { comment: 'a'.repeat(65_535) }],
    ['a name under another name', renamed('b'.repeat(65_000), 'file.txt')],
  ])('refuses a table of contents that is swollen by %s', async (_name, changes) => {
    await refuses(buildZip([entry({ name: 'fine' }), entry(changes)]), 'refused', /too much about/);
  });

  it('takes the extra fields and comments that archivers write', async () => {
    const extra = Buffer.concat([Buffer.from([0x55, 0x54, 5, 0, 1, 0, 0, 0, 0]), Buffer.from([0x75, 0x78, 0, 0])]);
    expect(await unpack(buildZip([entry({ extra, comment: 'from the left camera' })]))).toEqual({ 'file.txt': TEXT });
  });

  it('refuses two entries of one name, however they are composed', async () => {
    const bytes = buildZip([entry({ name: 'a\u0308' }), entry({ name: '\u00e4' })]);
    await refuses(bytes, 'refused', /twice/);
  });

  it('refuses what says that it unpacks to more than the limit', async () => {
    const limits = { ...LIMITS, maxTotalBytes: 2 * TEXT.length - 1 };
    await refuses(buildZip([entry({ name: 'a' }), entry({ name: 'b' })]), 'refused', /Unpacked/, limits);
  });

  it('refuses what says that it unpacks to many times its size', async () => {
    await refuses(buildZip([entry({ data: Buffer.alloc(2_000_000) })]), 'refused', /100 times/);
    await refuses(buildZip([entry({ uncompressedSize: 4_000_000_000 })]), 'refused', /100 times/);
    await expect(unpack(buildZip([entry({ data: Buffer.alloc(900_000) })]))).resolves.toBeDefined();
  });

  it('stops unpacking what is longer than it says, or shorter', async () => {
    const bomb = entry({ data: Buffer.alloc(3_000_000), uncompressedSize: 1000 });
    await refuses(buildZip([bomb]), 'corrupt', /cannot be unpacked/);
    await refuses(buildZip([entry({ uncompressedSize: 500 })]), 'corrupt', /cannot be unpacked/);
  });

  it('refuses entries that share their bytes: at one place, and one inside another', async () => {
    const kernel = entry({ name: 'kernel', data: Buffer.alloc(200_000, 'abcdefgh') });
    await refuses(buildZip([kernel, entry({ name: 'again', offset: 0 })]), 'refused', /overlaps/);
    const inner = buildZip([entry({ name: 'inner' })]);
    const outer = entry({ name: 'outer', data: inner, method: 0 });
    const quoted = buildZip([outer, entry({ name: 'inner', offset: 30 + 'outer'.length })]);
    await refuses(quoted, 'refused', /overlaps/);
  });

  it('refuses data that reaches into the table of contents', async () => {
    await refuses(
      buildZip([entry({ compressedSize: 5000, uncompressedSize: 5000, method: 0 })]),
      'refused',
      /overlaps/,
    );
  });

  it('refuses an entry that goes by another name in front of its data', async () => {
    await refuses(buildZip([entry({ localName: 'other.txt' })]), 'corrupt', /two different ways/);
  });

  it('refuses a header in front of the data that is longer than there is room for', async () => {
    const bytes = buildZip([entry({ method: 0 })]);
    // The extra field of the local header claims bytes of the data.
    bytes.writeUInt16LE(8, 28);
    await refuses(bytes, 'refused', /overlaps/);
  });

  it('refuses wrong checksums and damaged data', async () => {
    await refuses(buildZip([entry({ crc: 1 })]), 'corrupt', /checksum/);
    const damaged = buildZip([entry({ data: Buffer.alloc(10_000, 'abc') })]);
    damaged.fill(0xff, 40, 50);
    await refuses(damaged, 'corrupt', /damaged/);
  });

  it('refuses an archive without entries, and one of folders only', async () => {
    await refuses(buildZip([]), 'refused', /empty/);
    expect(await unpack(buildZip([{ name: 'folder/', method: 0 }]))).toEqual({});
  });

  it('refuses what is no ZIP, and what has something in front of one', async () => {
    await refuses(Buffer.from('hello, this is text'), 'not-an-archive', /not a ZIP/);
    await refuses(Buffer.alloc(0), 'not-an-archive', /not a ZIP/);
    await refuses(Buffer.concat([Buffer.from('#!/bin/sh\n'), buildZip([entry()])]), 'not-an-archive', /not a ZIP/);
  });

  it('refuses an archive that is cut anywhere', async () => {
    const bytes = buildZip([entry({ name: 'a' }), entry({ name: 'b' })]);
    for (let length = 4; length < bytes.length; length += 7) {
      await expect(unpack(bytes.subarray(0, length)), `${length} bytes`).rejects.toBeInstanceOf(ArchiveError);
    }
  });

  it('refuses an archive that holds more entries than it says, or fewer', async () => {
    const entries = [entry({ name: 'a' }), entry({ name: 'b' })];
    await refuses(buildZip(entries, { entryCount: 1 }), 'corrupt', /holds more/);
    await refuses(buildZip(entries, { entryCount: 3 }), 'corrupt', /table of contents/);
  });

  it('refuses 100,000 entries by the first look at the end of the archive', async () => {
    const one = buildZip([entry({ name: 'a' })]);
    const directory = one.subarray(one.indexOf('PK\x01\x02'), one.length - 22);
    const many = Buffer.concat([one.subarray(0, one.indexOf('PK\x01\x02')), ...Array<Buffer>(100_000).fill(directory)]);
    const tail = buildZip([], { entryCount: 100_000, isZip64: true });
    tail.writeBigUInt64LE(BigInt(one.indexOf('PK\x01\x02')), 48);
    tail.writeBigUInt64LE(BigInt(many.length), 56 + 8);
    await refuses(Buffer.concat([many, tail]), 'refused', /more than the 100 entries/);
  });

  it('tells the file system’s errors as they are', async () => {
    await expect(ZipArchive.open(path.join(folder, 'missing.zip'), LIMITS)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
