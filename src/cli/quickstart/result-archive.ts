import { once } from 'node:events';
import { promisify } from 'node:util';
import yauzl, { type Entry, type Options, type ZipFile } from 'yauzl';
import { crc32 } from '../../platform/crc32.js';

export interface ArchiveContent {
  names: string[];
  /** Content of the one entry that was asked for. */
  wanted: Buffer;
}

const open = promisify<string, Options, ZipFile>(yauzl.open);

/**
 * Reads a ZIP entry by entry and checks each against its checksum; yauzl itself checks sizes only.
 * @throws Error naming what is wrong, also when `wantedName` is not there
 */
export async function readArchive(path: string, wantedName: string): Promise<ArchiveContent> {
  const zip = await open(path, { lazyEntries: true, autoClose: false });
  try {
    const names: string[] = [];
    let wanted: Buffer | undefined;
    for await (const entry of entriesOf(zip)) {
      const content = await readEntry(zip, entry, entry.fileName === wantedName);
      names.push(entry.fileName);
      wanted ??= content;
    }
    if (wanted === undefined) throw new Error(`${path} holds no ${wantedName}.`);
    return { names, wanted };
  } finally {
    zip.close();
  }
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<Entry> {
  for (let index = 0; index < zip.entryCount; index++) {
    const arrival = once(zip, 'entry') as Promise<[Entry]>;
    zip.readEntry();
    yield (await arrival)[0];
  }
}

async function readEntry(zip: ZipFile, entry: Entry, isWanted: boolean): Promise<Buffer | undefined> {
  const openStream = promisify<Entry, NodeJS.ReadableStream>((which, done) => {
    zip.openReadStream(which, done);
  });
  const kept: Buffer[] = [];
  let checksum = 0;
  for await (const chunk of (await openStream(entry)) as AsyncIterable<Buffer>) {
    checksum = crc32(chunk, checksum);
    if (isWanted) kept.push(chunk);
  }
  if (checksum !== entry.crc32) throw new Error(`${entry.fileName} in the ZIP is damaged: its checksum is wrong.`);
  return isWanted ? Buffer.concat(kept) : undefined;
}
