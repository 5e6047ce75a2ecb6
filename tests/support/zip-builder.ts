import { deflateRawSync } from 'node:zlib';
import { crc32 } from '../../src/platform/crc32.js';

/** One entry; whatever is named here is written as it is, true or not. */
export interface BuiltEntry {
  name: string | Buffer;
  data?: Buffer;
  /** 0 stores, 8 deflates; anything else is only claimed. Default 8. */
  method?: number;
  flags?: number;
  crc?: number;
  /** What the headers say; default: the truth. */
  uncompressedSize?: number;
  compressedSize?: number;
  externalAttributes?: number;
  /** Where the table of contents says that it begins. */
  offset?: number;
  /** In front of the data, where it differs from the name in the table of contents. */
  localName?: string;
  /** Sizes and checksum behind the data instead of in front of it, as streaming tools write them. */
  hasDescriptor?: boolean;
  /** The sizes stand in the extra field (ZIP64). */
  isZip64?: boolean;
  /** Further extra fields in the table of contents. */
  extra?: Buffer;
  /** Of this entry, in the table of contents. */
  comment?: string;
}

export interface BuiltArchive {
  /** What the end record says; default: the truth. */
  entryCount?: number;
  comment?: string;
  /** With the records of ZIP64 at the end. */
  isZip64?: boolean;
}

/** A ZIP file to the letter of APPNOTE.TXT, or against it. */
export function buildZip(
  entries: readonly BuiltEntry[],
  { entryCount = entries.length, comment = '', isZip64 = false }: BuiltArchive = {},
): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const local = localPart(entry);
    directory.push(directoryRecord(entry, entry.offset ?? offset));
    parts.push(local);
    offset += local.length;
  }
  const contents = Buffer.concat(directory);
  if (isZip64) parts.push(contents, zip64End(entryCount, contents.length, offset));
  else parts.push(contents);
  return Buffer.concat([...parts, end(isZip64 ? 0xffff : entryCount, contents.length, offset, comment)]);
}

function packed({ data = Buffer.alloc(0), method = 8 }: BuiltEntry): Buffer {
  return method === 8 ? deflateRawSync(data) : data;
}

interface Numbers {
  flags: number;
  method: number;
  crc: number;
  compressedSize: number;
  uncompressedSize: number;
}

const DESCRIPTOR_FLAG = 0x8;
const UTF8_FLAG = 0x800;

function numbersOf(entry: BuiltEntry): Numbers {
  const { data = Buffer.alloc(0), method = 8, flags = UTF8_FLAG } = entry;
  return {
    flags: entry.hasDescriptor ? flags | DESCRIPTOR_FLAG : flags,
    method,
    crc: entry.crc ?? crc32(data),
    compressedSize: entry.compressedSize ?? packed(entry).length,
    uncompressedSize: entry.uncompressedSize ?? data.length,
  };
}

function localPart(entry: BuiltEntry): Buffer {
  const numbers = numbersOf(entry);
  const inFront = entry.hasDescriptor ? { ...numbers, crc: 0, compressedSize: 0, uncompressedSize: 0 } : numbers;
  const name = Buffer.from(entry.localName ?? entry.name);
  const head = Buffer.alloc(30);
  head.writeUInt32LE(0x04034b50, 0);
  writeCommon(head, 4, inFront, name.length, 0);
  return Buffer.concat([head, name, packed(entry), entry.hasDescriptor ? descriptor(numbers) : Buffer.alloc(0)]);
}

function descriptor({ crc, compressedSize, uncompressedSize }: Numbers): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(0x08074b50, 0);
  bytes.writeUInt32LE(crc, 4);
  bytes.writeUInt32LE(compressedSize, 8);
  bytes.writeUInt32LE(uncompressedSize, 12);
  return bytes;
}

function directoryRecord(entry: BuiltEntry, offset: number): Buffer {
  const name = Buffer.from(entry.name);
  const numbers = numbersOf(entry);
  const { extra: further = Buffer.alloc(0), comment = '' } = entry;
  const extra = entry.isZip64 ? Buffer.concat([zip64Extra(numbers), further]) : further;
  const stated = entry.isZip64 ? { ...numbers, compressedSize: 0xffffffff, uncompressedSize: 0xffffffff } : numbers;
  const head = Buffer.alloc(46);
  head.writeUInt32LE(0x02014b50, 0);
  // Made on Unix, by version 2.0.
  head.writeUInt16LE(0x0314, 4);
  writeCommon(head, 6, stated, name.length, extra.length);
  head.writeUInt16LE(comment.length, 32);
  head.writeUInt32LE(entry.externalAttributes ?? 0, 38);
  head.writeUInt32LE(offset, 42);
  return Buffer.concat([head, name, extra, Buffer.from(comment, 'latin1')]);
}

function zip64Extra({ compressedSize, uncompressedSize }: Numbers): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16LE(1, 0);
  bytes.writeUInt16LE(16, 2);
  bytes.writeBigUInt64LE(BigInt(uncompressedSize), 4);
  bytes.writeBigUInt64LE(BigInt(compressedSize), 12);
  return bytes;
}

/** From "version needed to extract" to "extra field length", the same in both headers. */
function writeCommon(head: Buffer, at: number, numbers: Numbers, nameLength: number, extraLength: number): void {
  head.writeUInt16LE(20, at);
  head.writeUInt16LE(numbers.flags, at + 2);
  head.writeUInt16LE(numbers.method, at + 4);
  head.writeUInt32LE(numbers.crc, at + 10);
  head.writeUInt32LE(numbers.compressedSize, at + 14);
  head.writeUInt32LE(numbers.uncompressedSize, at + 18);
  head.writeUInt16LE(nameLength, at + 22);
  head.writeUInt16LE(extraLength, at + 24);
}

function end(entryCount: number, directoryBytes: number, directoryOffset: number, comment: string): Buffer {
  const bytes = Buffer.alloc(22);
  bytes.writeUInt32LE(0x06054b50, 0);
  bytes.writeUInt16LE(entryCount & 0xffff, 8);
  bytes.writeUInt16LE(entryCount & 0xffff, 10);
  bytes.writeUInt32LE(directoryBytes, 12);
  bytes.writeUInt32LE(directoryOffset, 16);
  bytes.writeUInt16LE(comment.length, 20);
  return Buffer.concat([bytes, Buffer.from(comment, 'latin1')]);
}

function zip64End(entryCount: number, directoryBytes: number, directoryOffset: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  record.writeBigUInt64LE(BigInt(entryCount), 24);
  record.writeBigUInt64LE(BigInt(entryCount), 32);
  record.writeBigUInt64LE(BigInt(directoryBytes), 40);
  record.writeBigUInt64LE(BigInt(directoryOffset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(directoryOffset + directoryBytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator]);
}
