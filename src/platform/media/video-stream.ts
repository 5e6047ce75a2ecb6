import { MediaError, type VideoInfo } from './video-decoder.port.js';
import type { Container } from './container-inspector.js';
import type { VideoLimits } from './decoder-settings.js';

/** What a container says about one of its streams. Nothing of it is proven. */
export interface StreamFacts {
  index: number;
  isVideo: boolean;
  /** FFmpeg's codec name; empty when unknown. */
  codec: string;
  width: number;
  height: number;
  /** A cover or a thumbnail, not a moving picture. */
  isAttachedPicture: boolean;
  frameRate: { numerator: number; denominator: number };
  /** Null when the container does not say. */
  durationSeconds: number | null;
  /** Frames the container's index promises, before edit lists; null when it has no index. */
  indexedFrames: number | null;
}

/**
 * The stream a decoder works on: the first moving picture whose codec is accepted.
 *
 * @throws MediaError when there is none, or when its size is out of bounds
 */
export function chooseVideoStream(streams: StreamFacts[], container: Container, limits: VideoLimits): StreamFacts {
  const moving = streams.filter((stream) => stream.isVideo && !stream.isAttachedPicture);
  if (moving.length === 0) {
    const hasCover = streams.some((stream) => stream.isAttachedPicture);
    throw new MediaError(
      'no-video-stream',
      hasCover ? 'The file holds a cover picture but no video.' : 'The file holds no video.',
    );
  }
  const chosen = moving.find(({ codec }) => ACCEPTED_CODECS.has(codec) || isSequenceCodec(codec, container));
  if (!chosen) {
    const codec = moving[0]?.codec || 'an unknown codec';
    const accepted = [...ACCEPTED_CODECS].join(', ');
    throw new MediaError(
      'unsupported-format',
      `The video is encoded as ${codec}, which is not accepted. Use H.264; accepted are ${accepted}.`,
    );
  }
  assertPictureSize(chosen.width, chosen.height, limits);
  return chosen;
}

/** @throws MediaError when a picture is smaller or larger than the limits */
export function assertPictureSize(width: number, height: number, limits: VideoLimits): void {
  if (width > limits.maxWidth || height > limits.maxHeight) {
    throw new MediaError(
      'too-large',
      `The picture is ${width}x${height} pixels; at most ${limits.maxWidth}x${limits.maxHeight} are accepted.`,
    );
  }
  if (width < limits.minSide || height < limits.minSide) {
    throw new MediaError(
      'too-large',
      `The picture is ${width}x${height} pixels; at least ${limits.minSide}x${limits.minSide} are needed.`,
    );
  }
}

/** Puts together what the container says and what the full decode found. */
export function describeVideo(
  container: Container,
  stream: StreamFacts,
  containerDurationSeconds: number | null,
  decoded: { width: number; height: number; frameCount: number },
): VideoInfo {
  const { numerator, denominator } = stream.frameRate;
  const frameRate = numerator > 0 && denominator > 0 ? numerator / denominator : null;
  const measuredSeconds = frameRate === null ? 0 : decoded.frameCount / frameRate;
  return {
    container: container.name,
    codec: stream.codec,
    width: decoded.width,
    height: decoded.height,
    frameCount: decoded.frameCount,
    frameRate,
    durationSeconds: stream.durationSeconds ?? containerDurationSeconds ?? measuredSeconds,
  };
}

/** Frame sequences are made of pictures as they were uploaded, and PNG is what many of them are. */
const isSequenceCodec = (codec: string, { name }: Container): boolean => codec === 'png' && name === 'matroska';

/**
 * Codecs of moving pictures. A list of what is accepted, because the video library brings hundreds of decoders, many
 * of them for pictures (png, gif, webp, …) or so rarely used that their faults stay unfound.
 */
const ACCEPTED_CODECS = new Set([
  ...['h264', 'hevc', 'vvc', 'vp8', 'vp9', 'av1'],
  ...['mpeg1video', 'mpeg2video', 'mpeg4', 'msmpeg4v1', 'msmpeg4v2', 'msmpeg4v3', 'h263', 'flv1'],
  ...['wmv1', 'wmv2', 'wmv3', 'vc1', 'theora', 'mjpeg', 'dvvideo'],
  ...['prores', 'dnxhd', 'ffv1', 'huffyuv', 'ffvhuff', 'utvideo', 'rawvideo'],
]);
