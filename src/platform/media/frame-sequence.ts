import type { ImageHeader } from './image-header.js';

/** One compressed picture. */
export interface SequenceFrame {
  /** Exact length of its content. */
  bytes: number;
  content(): AsyncIterable<Buffer>;
}

/** Nothing says how fast pictures are to be shown; FFmpeg assumes this too. */
export const FRAMES_PER_SECOND = 25;

/**
 * Pictures of one format and one size as a video (Matroska, RFC 9559), each of them one frame, unchanged to the byte.
 * Every length is known in advance, so the file is written from front to end, and one that was cut is recognised.
 */
export async function* writeFrameSequence(
  header: ImageHeader,
  frames: readonly SequenceFrame[],
): AsyncGenerator<Buffer> {
  const head = Buffer.concat([information(frames.length), tracks(header)]);
  const clusters = frames.reduce((sum, frame) => sum + CLUSTER_HEAD_BYTES + frame.bytes, 0);
  yield ebmlHeader();
  yield Buffer.concat([elementHead(ID.segment, head.length + clusters), head]);
  for (const [index, frame] of frames.entries()) {
    yield clusterHead(index, frame.bytes);
    yield* frame.content();
  }
}

const ID = {
  ebml: 0x1a45dfa3,
  ebmlVersion: 0x4286,
  ebmlReadVersion: 0x42f7,
  ebmlMaxIdLength: 0x42f2,
  ebmlMaxSizeLength: 0x42f3,
  docType: 0x4282,
  docTypeVersion: 0x4287,
  docTypeReadVersion: 0x4285,
  segment: 0x18538067,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  muxingApp: 0x4d80,
  writingApp: 0x5741,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackUid: 0x73c5,
  trackType: 0x83,
  flagLacing: 0x9c,
  defaultDuration: 0x23e383,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  video: 0xe0,
  pixelWidth: 0xb0,
  pixelHeight: 0xba,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
} as const;

const FRAME_MS = 1000 / FRAMES_PER_SECOND;
const NANOSECONDS_PER_MS = 1_000_000;
const APPLICATION = 'InferNode';

function ebmlHeader(): Buffer {
  return element(
    ID.ebml,
    unsigned(ID.ebmlVersion, 1),
    unsigned(ID.ebmlReadVersion, 1),
    unsigned(ID.ebmlMaxIdLength, 4),
    unsigned(ID.ebmlMaxSizeLength, 8),
    text(ID.docType, 'matroska'),
    unsigned(ID.docTypeVersion, 4),
    unsigned(ID.docTypeReadVersion, 2),
  );
}

function information(frameCount: number): Buffer {
  const duration = Buffer.alloc(8);
  duration.writeDoubleBE(frameCount * FRAME_MS);
  return element(
    ID.info,
    unsigned(ID.timestampScale, NANOSECONDS_PER_MS),
    element(ID.duration, duration),
    text(ID.muxingApp, APPLICATION),
    text(ID.writingApp, APPLICATION),
  );
}

function tracks(header: ImageHeader): Buffer {
  const { width, height } = header;
  return element(
    ID.tracks,
    element(
      ID.trackEntry,
      unsigned(ID.trackNumber, 1),
      unsigned(ID.trackUid, 1),
      unsigned(ID.trackType, 1),
      unsigned(ID.flagLacing, 0),
      unsigned(ID.defaultDuration, FRAME_MS * NANOSECONDS_PER_MS),
      ...codec(header),
      element(ID.video, unsigned(ID.pixelWidth, width), unsigned(ID.pixelHeight, height)),
    ),
  );
}

/** Matroska has a name of its own for moving JPEG; PNG goes by its name in AVI files, wrapped as Windows has it. */
function codec({ format, width, height }: ImageHeader): Buffer[] {
  if (format === 'jpeg') return [text(ID.codecId, 'V_MJPEG')];
  const bitmapInfo = Buffer.alloc(40);
  bitmapInfo.writeUInt32LE(bitmapInfo.length, 0);
  bitmapInfo.writeInt32LE(width, 4);
  bitmapInfo.writeInt32LE(height, 8);
  bitmapInfo.writeUInt16LE(1, 12);
  bitmapInfo.writeUInt16LE(24, 14);
  bitmapInfo.write('MPNG', 16, 'latin1');
  return [text(ID.codecId, 'V_MS/VFW/FOURCC'), element(ID.codecPrivate, bitmapInfo)];
}

/** Track 1, at the cluster's time, a key frame. */
const BLOCK_HEAD = Buffer.from([0x81, 0, 0, 0x80]);
const TIMESTAMP_BYTES = 10;
const ELEMENT_HEAD_BYTES = { cluster: 12, simpleBlock: 9 };
const CLUSTER_HEAD_BYTES =
  ELEMENT_HEAD_BYTES.cluster + TIMESTAMP_BYTES + ELEMENT_HEAD_BYTES.simpleBlock + BLOCK_HEAD.length;

/** A cluster for each frame: a block counts its time from the cluster's, and not far. */
function clusterHead(index: number, bytes: number): Buffer {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(index * FRAME_MS));
  return Buffer.concat([
    elementHead(ID.cluster, CLUSTER_HEAD_BYTES - ELEMENT_HEAD_BYTES.cluster + bytes),
    element(ID.timestamp, time),
    elementHead(ID.simpleBlock, BLOCK_HEAD.length + bytes),
    BLOCK_HEAD,
  ]);
}

/** RFC 8794: the id, the length, the content. */
function element(id: number, ...content: Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  // Lengths below 127 fit into one byte with its highest bit set.
  const length = bytes.length < 127 ? Buffer.from([0x80 | bytes.length]) : longLength(bytes.length);
  return Buffer.concat([idBytes(id), length, bytes]);
}

/** For content that follows later: always with a long length, so that its own size is known. */
const elementHead = (id: number, bytes: number): Buffer => Buffer.concat([idBytes(id), longLength(bytes)]);

function longLength(bytes: number): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes) | (1n << 56n));
  return length;
}

function idBytes(id: number): Buffer {
  const hex = id.toString(16);
  return Buffer.from(hex, 'hex');
}

function unsigned(id: number, value: number): Buffer {
  const hex = value.toString(16);
  return element(id, Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
}

const text = (id: number, value: string): Buffer => element(id, Buffer.from(value, 'latin1'));
