import { loadModule, PAGE_BYTES, type ModuleMemory } from '../web-assembly.js';
import { isUpright, uprightSize, type Orientation } from './orientation.js';

/** Where the grey of a pixel format is: in a plane of its own, which needs no colour conversion. */
export interface LumaLayout {
  /** Bits of a sample; more than 8 are stored in 16, little endian, in the low bits. */
  bits: number;
  /** Whether black is 0 and white the largest value, rather than 16 and 235 as in television. */
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
export function grayTable({ bits, isFullRange }: LumaLayout): Uint8Array {
  const scale = 2 ** (bits - 8);
  const black = isFullRange ? 0 : 16 * scale;
  const white = isFullRange ? 2 ** bits - 1 : 235 * scale;
  return Uint8Array.from({ length: bits === 8 ? 256 : 65_536 }, (_, sample) =>
    Math.min(255, Math.max(0, Math.round(((sample - black) * 255) / (white - black)))),
  );
}

/** A plane of luma samples as a decoder leaves it. */
export interface LumaPlane extends LumaLayout {
  /** Rows of `stride` bytes; the last one may end after its samples. */
  bytes: Uint8Array;
  stride: number;
  width: number;
  height: number;
}

interface LumaKernel {
  memory: ModuleMemory;
  arenaStart(): number;
  stretch(plane: number, stride: number, width: number, height: number, out: number): void;
  lookUpBytes: LookUp;
  lookUpWords: LookUp;
}
type LookUp = (
  origin: number,
  stepX: number,
  stepY: number,
  width: number,
  height: number,
  table: number,
  out: number,
) => void;

const LARGEST_TABLE_BYTES = 65_536;
/** Samples that the kernel takes at a time. */
const BLOCK = 16;

/** Turns luma planes into upright grey pictures. It holds one picture, so one is used for one video at a time. */
export class LumaConverter {
  /** The layout whose table lies in the kernel's memory. */
  private tabled: LumaLayout | undefined;

  private constructor(private readonly kernel: LumaKernel) {}

  /** @throws Error when the kernels are not built */
  static async create(): Promise<LumaConverter> {
    return new LumaConverter(await loadModule<LumaKernel>(new URL('./kernels/luma.wasm', import.meta.url)));
  }

  /** @returns row-major, one byte per pixel of the upright picture; valid until the next call */
  toGray(plane: LumaPlane, orientation: Orientation): Uint8Array {
    const { kernel } = this;
    const table = kernel.arenaStart();
    const input = table + LARGEST_TABLE_BYTES;
    const pixels = plane.width * plane.height;
    const output = Math.ceil((input + plane.stride * plane.height) / BLOCK) * BLOCK;
    this.makeRoomFor(output + pixels);
    new Uint8Array(kernel.memory.buffer).set(plane.bytes.subarray(0, plane.stride * plane.height), input);
    const isPlain = plane.bits === 8 && !plane.isFullRange && plane.width >= BLOCK;
    if (isPlain && isUpright(orientation)) {
      kernel.stretch(input, plane.stride, plane.width, plane.height, output);
    } else {
      this.lookUp(plane, orientation, { table, input, output });
    }
    return new Uint8Array(kernel.memory.buffer, output, pixels);
  }

  private lookUp(
    plane: LumaPlane,
    orientation: Orientation,
    at: { table: number; input: number; output: number },
  ): void {
    const { kernel } = this;
    if (this.tabled?.bits !== plane.bits || this.tabled.isFullRange !== plane.isFullRange) {
      new Uint8Array(kernel.memory.buffer).set(grayTable(plane), at.table);
      this.tabled = { bits: plane.bits, isFullRange: plane.isFullRange };
    }
    const sampleBytes = plane.bits === 8 ? 1 : 2;
    const { offset, stepX, stepY } = walk(plane, sampleBytes, orientation);
    const { width, height } = uprightSize(plane, orientation);
    const lookUp = sampleBytes === 1 ? kernel.lookUpBytes : kernel.lookUpWords;
    lookUp(at.input + offset, stepX, stepY, width, height, at.table, at.output);
  }

  private makeRoomFor(bytes: number): void {
    const missing = bytes - this.kernel.memory.buffer.byteLength;
    if (missing > 0) this.kernel.memory.grow(Math.ceil(missing / PAGE_BYTES));
  }
}

/** Where the samples of an upright picture lie in the stored one: the first of them, and the way to the next in x and y. */
function walk(
  { width, height, stride }: LumaPlane,
  sampleBytes: number,
  { transpose, flipX, flipY }: Orientation,
): { offset: number; stepX: number; stepY: number } {
  const alongX = transpose ? { step: stride, count: height } : { step: sampleBytes, count: width };
  const alongY = transpose ? { step: sampleBytes, count: width } : { step: stride, count: height };
  return {
    offset: (flipX ? (alongX.count - 1) * alongX.step : 0) + (flipY ? (alongY.count - 1) * alongY.step : 0),
    stepX: flipX ? -alongX.step : alongX.step,
    stepY: flipY ? -alongY.step : alongY.step,
  };
}
