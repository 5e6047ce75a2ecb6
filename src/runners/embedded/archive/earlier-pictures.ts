import { buffer } from 'node:stream/consumers';
import { ZipArchive } from '../../../platform/archive/zip-archive.js';
import { RunnerCheckpointError } from '../../runner.errors.js';
import type { PictureSink } from '../../result/result-archive.js';

/** As many as a job can have frames. */
const LIMITS = { maxEntries: 10_000_000, maxTotalBytes: Number.MAX_SAFE_INTEGER };

/**
 * Takes over pictures that attempts before have made, one at a time.
 *
 * @param paths files as checkpoints leave them, in order
 * @param onPicture told after each
 * @throws RunnerCheckpointError when a file is missing or damaged; what `sink` throws
 */
export async function copyEarlierPictures(
  paths: readonly string[],
  sink: PictureSink,
  onPicture: () => void,
): Promise<void> {
  for (const path of paths) {
    const zip = await orUnusable(ZipArchive.open(path, LIMITS));
    try {
      for (const entry of zip.entries) {
        await sink.addStored(entry.path, await orUnusable(buffer(zip.content(entry))));
        onPicture();
      }
    } finally {
      zip.close();
    }
  }
}

async function orUnusable<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw new RunnerCheckpointError('Pictures of the attempts before cannot be read.', { cause: error });
  }
}
