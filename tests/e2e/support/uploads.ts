import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ApiUser } from './api-user.js';

/** 25 frames of 96 x 64. */
export const SMALL_VIDEO = fileURLToPath(new URL('../../fixtures/media/h264.mp4', import.meta.url));

const PIECE_BYTES = 1 << 20;

/**
 * A valid MP4 of any size, made as it is read: a small video, then one `free` box, which players skip (ISO/IEC 14496-12
 * section 8.1.2).
 *
 * @param bytes size of the file, below 4 GiB
 */
export async function* paddedVideo(bytes: number): AsyncGenerator<Buffer> {
  const video = await readFile(SMALL_VIDEO);
  let padding = bytes - video.length;
  const header = Buffer.alloc(8);
  header.writeUInt32BE(padding, 0);
  header.write('free', 4, 'latin1');
  yield video;
  yield header;
  const piece = Buffer.alloc(PIECE_BYTES);
  for (padding -= header.length; padding > 0; padding -= piece.length) yield piece.subarray(0, padding);
}

/** An upload that sends a part of a large video and then nothing more until it is told to go on. */
export function stalledUpload(user: ApiUser, datasetId: string) {
  const bytes = 8 * PIECE_BYTES;
  const resumption = new AbortController();
  async function* content(): AsyncGenerator<Buffer> {
    let sent = 0;
    for await (const piece of paddedVideo(bytes)) {
      if (sent < bytes / 2 && sent + piece.length >= bytes / 2 && !resumption.signal.aborted) {
        await once(resumption.signal, 'abort');
      }
      sent += piece.length;
      yield piece;
    }
  }
  const outcome = user.uploadStream(datasetId, content(), bytes);
  outcome.catch(() => undefined); // whoever awaits it later still gets the error
  return {
    outcome,
    resume: () => {
      resumption.abort();
    },
  };
}
