import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';

import yauzl, { type Entry, type Options, type ZipFile } from 'yauzl';

const openZip = promisify<string, Options, ZipFile>(yauzl.open);

/** Reads a whole ZIP into memory, checksums verified: entry name -> content. */
export async function readZip(path: string): Promise<Map<string, Buffer>> {
  const zip = await openZip(path, { lazyEntries: true, autoClose: false });
  const openEntry = promisify<Entry, NodeJS.ReadableStream>((entry, done) => {
    zip.openReadStream(entry, done);
  });
  const content = new Map<string, Buffer>();
  try {
    for (let k = 0; k < zip.entryCount; k++) {
      const arrival = once(zip, 'entry') as Promise<[Entry]>;
      zip.readEntry();
      const [entry] = await arrival;
      content.set(entry.fileName, await buffer(await openEntry(entry)));
    }
  } finally {
    zip.close();
  }
  return content;
}
