import { MediaError } from './video-decoder.port.js';
import type { VideoLimits } from './decoder-settings.js';

/** Refusals that several parts of the decoder share, in words for the person who uploaded the file. */

export function damagedVideo(cause?: unknown): MediaError {
  return new MediaError(
    'corrupt',
    'The video is damaged: some of its pictures cannot be decoded. Export or upload it again.',
    { cause },
  );
}

export function incompleteVideo(): MediaError {
  return new MediaError('corrupt', 'The video is incomplete: the file ends before the video does. Upload it again.');
}

export function noPictures(): MediaError {
  return new MediaError('corrupt', 'The video is damaged: not a single picture of it can be decoded.');
}

export function endsBefore(frameCount: number, wantedIndex: number): MediaError {
  return new MediaError('corrupt', `The video ends after ${frameCount} frames, before frame ${wantedIndex}.`);
}

export function changingSize(): MediaError {
  return new MediaError(
    'unsupported-format',
    'The picture size changes in the middle of the video. Export it with one size throughout.',
  );
}

export function tooManyFrames(limits: VideoLimits): MediaError {
  return new MediaError('too-large', `The video has more than ${limits.maxFrames} frames, the most that is accepted.`);
}

export function tooMuchMemory(): MediaError {
  return new MediaError('too-large', 'The video needs more memory to decode than is allowed. Export a smaller one.');
}
