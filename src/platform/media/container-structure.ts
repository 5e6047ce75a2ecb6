import type { FileHandle } from 'node:fs/promises';

/** How a container states its own length. */
export type ContainerStructure = keyof typeof CHECKS;

/**
 * Whether a file ends before the structure it announces does. Only lengths are read, no content is judged.
 *
 * Sources: ISO/IEC 14496-12 section 4.2 (boxes), RFC 8794 (EBML), Microsoft RIFF with OpenDML, Adobe FLV 10.1
 * annex E, RFC 3533 (Ogg), Microsoft ASF specification section 3.2.
 */
export function findTruncation(file: FileHandle, size: number, structure: ContainerStructure): Promise<boolean> {
  return CHECKS[structure](file, size);
}

const CHECKS = {
  boxes: boxesAreCut,
  ebml: segmentIsCut,
  riff: riffIsCut,
  'ogg-pages': oggIsCut,
  'flv-tags': flvIsCut,
  asf: asfIsCut,
};

/** Enough for every real file, and an end for one that was built to be walked for ever. */
const MAX_STEPS = 200_000;

async function boxesAreCut(file: FileHandle, size: number): Promise<boolean> {
  let hasIndex = false;
  let offset = 0;
  for (let step = 0; step < MAX_STEPS && offset + 8 <= size; step++) {
    const header = await read(file, offset, 16);
    const type = header.toString('latin1', 4, 8);
    // Some cameras append notes of their own after the last box.
    if (hasIndex && !/^[\x20-\x7e\xa9]{4}$/.test(type)) return false;
    hasIndex ||= type === 'moov';

    const length = boxLength(header, size - offset);
    if (length < 8 || offset + length > size) return true;
    offset += length;
  }
  return !hasIndex;
}

function boxLength(header: Buffer, rest: number): number {
  const short = header.readUInt32BE(0);
  if (short === 0) return rest;
  if (short !== 1) return short;
  return header.length < 16 ? Infinity : Number(header.readBigUInt64BE(8));
}

async function segmentIsCut(file: FileHandle, size: number): Promise<boolean> {
  const head = await read(file, 0, 64);
  const headerLength = ebmlLength(head, 4);
  if (!headerLength || headerLength.value === null) return true;

  const segmentAt = headerLength.end + headerLength.value;
  const segmentLength = ebmlLength(await read(file, segmentAt, 16), 4);
  if (!segmentLength) return true;
  // A live recording does not know its length.
  if (segmentLength.value === null) return false;
  return segmentAt + segmentLength.end + segmentLength.value > size;
}

/** An EBML length: the number of leading zero bits tells its width in bytes; all ones means unknown. */
function ebmlLength(bytes: Buffer, at: number): { value: number | null; end: number } | undefined {
  const first = bytes[at];
  if (!first) return undefined;
  const width = Math.clz32(first) - 23;
  if (at + width > bytes.length) return undefined;
  let value = BigInt(first) & ((1n << BigInt(8 - width)) - 1n);
  for (let index = 1; index < width; index++) value = (value << 8n) | BigInt(bytes[at + index] ?? 0);
  const unknown = (1n << BigInt(7 * width)) - 1n;
  return { value: value === unknown ? null : Number(value), end: at + width };
}

async function riffIsCut(file: FileHandle, size: number): Promise<boolean> {
  let offset = 0;
  for (let step = 0; step < MAX_STEPS && offset + 8 <= size; step++) {
    const header = await read(file, offset, 8);
    if (header.toString('latin1', 0, 4) !== 'RIFF') return false;
    const length = header.readUInt32LE(4);
    // A recorder that was switched off never went back to fill in the length.
    if (length === 0) return false;
    if (offset + 8 + length > size) return true;
    offset += 8 + length + (length % 2);
  }
  return false;
}

/** The last page of a stream carries the end-of-stream flag (0x04) and is complete. */
async function oggIsCut(file: FileHandle, size: number): Promise<boolean> {
  const longestPage = 27 + 255 + 255 * 255;
  const tailAt = Math.max(0, size - longestPage);
  const tail = await read(file, tailAt, size - tailAt);
  const page = tail.lastIndexOf('OggS');
  if (page < 0 || page + 27 > tail.length) return true;

  const segments = tail[page + 26] ?? 0;
  const table = tail.subarray(page + 27, page + 27 + segments);
  const end = page + 27 + segments + table.reduce((sum, segment) => sum + segment, 0);
  const isLast = ((tail[page + 5] ?? 0) & 0x04) !== 0;
  return !isLast || end > tail.length;
}

/** Every tag is followed by its own length: the one at the end of the file has to point at a tag. */
async function flvIsCut(file: FileHandle, size: number): Promise<boolean> {
  if (size < 13 + 15) return true;
  const tagLength = (await read(file, size - 4, 4)).readUInt32BE(0);
  const tagAt = size - 4 - tagLength;
  if (tagLength < 11 || tagAt < 13) return true;
  const tag = await read(file, tagAt, 4);
  const isTag = [8, 9, 18].includes((tag[0] ?? 0) & 0x1f);
  return !isTag || tag.readUIntBE(1, 3) + 11 !== tagLength;
}

const ASF_HEADER_BYTES = 30;

async function asfIsCut(file: FileHandle, size: number): Promise<boolean> {
  let offset = 0;
  for (let step = 0; step < MAX_STEPS && offset + 24 <= size; step++) {
    const object = await read(file, offset, 24);
    const length = Number(object.readBigUInt64LE(16));
    // A live recording leaves the length of its data at zero.
    if (offset > 0 && length === 0) return false;
    if (length < (offset === 0 ? ASF_HEADER_BYTES : 24) || offset + length > size) return true;
    offset += length;
  }
  return false;
}

async function read(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
}
