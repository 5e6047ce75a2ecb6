import { AVERROR_ENOMEM } from 'node-av/constants';
import { FFmpegError } from 'node-av/lib';
import { damagedVideo } from '../media-problems.js';
import { DecoderFailedError } from '../video-decoder.port.js';

/**
 * @throws MediaError for an error of FFmpeg, which is the file's fault, or DecoderFailedError for lack of memory,
 *   which is not
 */
export function check(status: number): void {
  if (status < 0) throw asError(status);
}

/** What a negative status of FFmpeg means. */
export function asError(status: number): Error {
  const cause = new FFmpegError(status);
  if (status === AVERROR_ENOMEM) return new DecoderFailedError('The video decoder ran out of memory', { cause });
  return damagedVideo(cause);
}
