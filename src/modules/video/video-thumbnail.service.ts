import { Readable } from 'node:stream';
import { AppError } from '../../platform/app-error.js';
import { renderThumbnail } from '../../platform/media/thumbnail.js';
import { DecoderFailedError, type VideoDecoder, type VideoFrame } from '../../platform/media/video-decoder.port.js';
import type { Permits } from '../../platform/permits.js';
import type { ByteRange, ObjectStore } from '../../platform/storage/object-store.port.js';
import { thumbnailKey } from '../stored-file/stored-file.domain.js';
import type { Video } from './video.domain.js';

interface Deps {
  store: ObjectStore;
  decoder: VideoDecoder;
  /** Each picture takes a decoder's process: further ones wait for their turn. */
  turns: Permits;
}

/** Pixels of the longer side. */
export const THUMBNAIL_SIDE = 320;
/** A picture of this size has some ten thousand bytes. */
const MAX_BYTES = 1024 ** 2;

/** Small pictures of videos, made when somebody first looks and kept beside the file. */
export class VideoThumbnailService {
  constructor(private readonly deps: Deps) {}

  /**
   * Sees to it that the picture is there.
   * @returns its bytes
   * @throws AppError service-unavailable; the signal's reason
   */
  async prepare(video: Video, signal: AbortSignal): Promise<number> {
    const key = thumbnailKey(video.storageKey);
    const stored = await this.deps.store.stat(key);
    return stored?.bytes ?? this.make(video, key, signal);
  }

  async open(video: Video, range?: ByteRange): Promise<Readable> {
    return (await this.deps.store.read(thumbnailKey(video.storageKey), range)).stream;
  }

  /** Who makes the same picture at the same time makes the same bytes. */
  private async make(video: Video, key: string, signal: AbortSignal): Promise<number> {
    const release = await this.deps.turns.acquire(signal);
    try {
      const picture = await renderThumbnail(await this.decodeFrame(video, signal), THUMBNAIL_SIDE);
      const staged = await this.deps.store.stage(Readable.from([picture]), { signal, maxBytes: MAX_BYTES });
      await staged.commit(key);
      return staged.bytes;
    } finally {
      release();
    }
  }

  private async decodeFrame(video: Video, signal: AbortSignal): Promise<VideoFrame> {
    const file = await this.deps.store.localFile(video.storageKey, signal);
    try {
      const index = typicalFrame(video);
      for await (const frame of this.deps.decoder.frames(
        file.path,
        { start: index, end: index, step: 1 },
        { signal },
      )) {
        return frame;
      }
      throw new DecoderFailedError(`The decoder gave no frame ${index} of video ${video.id}`);
    } catch (error) {
      if (!(error instanceof DecoderFailedError)) throw error;
      throw new AppError('service-unavailable', 'The picture could not be made; please try again.', { cause: error });
    } finally {
      await file.release();
    }
  }
}

const USUAL_FRAME_RATE = 25;
/** Decoding begins at the front. */
const LAST_TYPICAL = 60;

/** Not the first one, which is black in many videos: the one after a second. */
function typicalFrame({ frameCount, frameRate }: Video): number {
  return Math.min(frameCount - 1, LAST_TYPICAL, Math.round(frameRate ?? USUAL_FRAME_RATE));
}
