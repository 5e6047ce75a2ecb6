export const IMAGE_FORMATS = ['jpeg', 'png'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

export interface ImageHeader {
  format: ImageFormat;
  width: number;
  height: number;
}

/**
 * What the first bytes of a picture say about it; nothing of the picture is decoded.
 *
 * @returns `more` when the size comes later than `head` reaches; null for what is neither JPEG nor PNG, or broken
 */
export function readImageHeader(head: Buffer): ImageHeader | 'more' | null {
  if (head.subarray(0, 8).equals(PNG_SIGNATURE)) return readPngHeader(head);
  if (head.length >= 3 && head.readUIntBE(0, 3) === 0xffd8ff) return readJpegHeader(head);
  return null;
}

const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** Source: PNG specification, third edition, sections 5.2 and 11.2.1: the header chunk comes first. */
function readPngHeader(head: Buffer): ImageHeader | 'more' | null {
  if (head.length < 24) return 'more';
  if (head.toString('latin1', 12, 16) !== 'IHDR') return null;
  return sized('png', head.readUInt32BE(16), head.readUInt32BE(20));
}

/** Source: ITU-T T.81 section B.2.2: the size stands in the frame header, behind any number of other segments. */
function readJpegHeader(head: Buffer): ImageHeader | 'more' | null {
  let offset = 2;
  while (offset + 9 <= head.length) {
    if (head[offset] !== 0xff) return null;
    const marker = head[offset + 1];
    if (marker === 0xff) {
      // Fill bytes may stand in front of a marker.
      offset++;
      continue;
    }
    if (isFrameHeader(marker)) return sized('jpeg', head.readUInt16BE(offset + 7), head.readUInt16BE(offset + 5));
    const isPictureData = marker === 0xda || marker === 0xd9;
    const length = head.readUInt16BE(offset + 2);
    if (isPictureData || length < 2) return null;
    offset += 2 + length;
  }
  return 'more';
}

/** SOF0 to SOF15; in the same row of numbers stand the tables DHT, JPG and DAC. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

function sized(format: ImageFormat, width: number, height: number): ImageHeader | null {
  return width > 0 && height > 0 ? { format, width, height } : null;
}
