import { stat } from 'node:fs/promises';

import { ArchiveError, ZipArchive } from '../../../platform/archive/zip-archive.js';
import { Nonconformity } from '../check.js';

/** More than a job of some frames can need. */
const LIMITS = { maxEntries: 10_000, maxTotalBytes: 500_000_000 };
const TEXTS = ['velocity.csv', 'result.json'];

export interface ArchiveContent {
  names: string[];
  /** Of the archive as it lies on the disk. */
  bytes: number;
  /** By name, of the texts that every archive should hold. */
  texts: Map<string, string>;
}

/** Reads every entry to its end, checksums included. @throws Nonconformity when the archive is missing or damaged */
export async function readResultArchive(path: string): Promise<ArchiveContent> {
  try {
    const { size: bytes } = await stat(path);
    const archive = await ZipArchive.open(path, LIMITS);
    try {
      const texts = new Map<string, string>();
      for (const entry of archive.entries) {
        const kept: Buffer[] = [];
        for await (const chunk of archive.content(entry)) if (TEXTS.includes(entry.path)) kept.push(chunk);
        if (kept.length > 0) texts.set(entry.path, Buffer.concat(kept).toString());
      }
      return { names: archive.entries.map((entry) => entry.path), bytes, texts };
    } finally {
      archive.close();
    }
  } catch (error) {
    if (error instanceof ArchiveError) throw new Nonconformity(error.message, { cause: error });
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Nonconformity('There is no archive.', { cause: error });
  }
}
