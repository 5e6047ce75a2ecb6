import { createJpegEncoder } from './jpeg-encoder.js';
import type { VideoFrame } from './video-decoder.port.js';

/** A frame as a JPEG, made smaller until neither side is longer than `maxSide` pixels. */
export async function renderThumbnail(frame: VideoFrame, maxSide: number): Promise<Uint8Array> {
  const { gray, width, height } = shrink(frame, maxSide);
  const rgb = new Uint8Array(gray.length * 3);
  gray.forEach((level, at) => rgb.fill(level, 3 * at, 3 * at + 3));
  const encoder = await createJpegEncoder();
  try {
    return encoder.encode({ rgb, width, height });
  } finally {
    encoder.dispose();
  }
}

type GrayPicture = Omit<VideoFrame, 'index'>;

/** Each new pixel is the mean of the pixels it stands for. */
function shrink(frame: GrayPicture, maxSide: number): GrayPicture {
  const scale = Math.min(1, maxSide / Math.max(frame.width, frame.height));
  if (scale === 1) return frame;
  const width = Math.max(1, Math.round(frame.width * scale));
  const height = Math.max(1, Math.round(frame.height * scale));
  const columns = boundaries(frame.width, width);
  const rows = boundaries(frame.height, height);
  const gray = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      gray[y * width + x] = mean(frame, columns[x], columns[x + 1], rows[y], rows[y + 1]);
    }
  }
  return { gray, width, height };
}

/** Where `parts` nearly equal parts of `length` begin, and the end of the last. */
function boundaries(length: number, parts: number): number[] {
  return Array.from({ length: parts + 1 }, (_, part) => Math.floor((part * length) / parts));
}

function mean({ gray, width }: GrayPicture, left: number, right: number, top: number, bottom: number): number {
  let sum = 0;
  for (let y = top; y < bottom; y++) {
    for (let at = y * width + left; at < y * width + right; at++) sum += gray[at];
  }
  return Math.round(sum / ((right - left) * (bottom - top)));
}
