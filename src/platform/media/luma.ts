/** Where the grey of a pixel format is: in a plane of its own, which needs no colour conversion. */
export interface LumaLayout {
  /** Bits of a sample; more than 8 are stored in 16, little endian, in the low bits. */
  bits: number;
  /** Whether the format itself says that black is 0 and white the largest value. */
  isFullRange: boolean;
}

/** The layout of a pixel format by FFmpeg's name; undefined when grey has to be computed from colours. */
export function lumaLayout(pixelFormat: string): LumaLayout | undefined {
  // FFmpeg takes grey formats for full range whatever a file says; OpenCV inherits that.
  const gray = /^gray(?:(9|10|12|14|16)le)?$/.exec(pixelFormat);
  if (gray) return { bits: Number(gray[1] ?? 8), isFullRange: true };
  const planar = /^(yuva?|yuvj)4[0-4][0-4]p(?:(9|10|12|14|16)le)?$/.exec(pixelFormat);
  if (planar) return { bits: Number(planar[2] ?? 8), isFullRange: planar[1] === 'yuvj' };
  if (/^nv(12|21|16|24|42)$/.test(pixelFormat)) return { bits: 8, isFullRange: false };
  return undefined;
}

/**
 * Table from a luma sample to 8-bit full-range grey. Limited range (16…235 at 8 bits, ITU-R BT.601) is stretched and
 * clamped, which is what converting to BGR and back to grey amounts to.
 *
 * @returns 256 entries for 8 bits, else 65,536: damaged files hold samples beyond their bit depth, taken as white
 */
export function grayTable(bits: number, isFullRange: boolean): Uint8Array {
  const scale = 2 ** (bits - 8);
  const black = isFullRange ? 0 : 16 * scale;
  const white = isFullRange ? 2 ** bits - 1 : 235 * scale;
  return Uint8Array.from({ length: bits === 8 ? 256 : 65_536 }, (_, sample) =>
    Math.min(255, Math.max(0, Math.round(((sample - black) * 255) / (white - black)))),
  );
}

/**
 * Copies a luma plane as grey.
 *
 * @param plane rows of `stride` bytes, the last one may end after `width` samples
 * @param table from `grayTable`; its length tells whether a sample has one byte or two
 * @returns row-major, width × height bytes
 */
export function lumaToGray(
  plane: Uint8Array,
  stride: number,
  width: number,
  height: number,
  table: Uint8Array,
): Buffer {
  const gray = Buffer.allocUnsafe(width * height);
  const copyRow = table.length === 256 ? copyRowOfBytes : copyRowOfWords;
  for (let row = 0; row < height; row++) copyRow(plane, row * stride, gray, row * width, width, table);
  return gray;
}

type CopyRow = (
  plane: Uint8Array,
  from: number,
  gray: Uint8Array,
  to: number,
  width: number,
  table: Uint8Array,
) => void;

// Two loops without a decision inside: this is the one place that touches each pixel.
const copyRowOfBytes: CopyRow = (plane, from, gray, to, width, table) => {
  for (let column = 0; column < width; column++) gray[to + column] = table[plane[from + column]];
};

const copyRowOfWords: CopyRow = (plane, from, gray, to, width, table) => {
  for (let column = 0; column < width; column++) {
    const at = from + 2 * column;
    gray[to + column] = table[plane[at] | (plane[at + 1] << 8)];
  }
};
