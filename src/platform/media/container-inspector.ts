import { open, stat, type FileHandle } from 'node:fs/promises';
import { DecoderFailedError, MediaError } from './video-decoder.port.js';
import { findTruncation, type ContainerStructure } from './container-structure.js';
import { incompleteVideo } from './media-problems.js';

/** A container that is decoded, as told by the first bytes of a file. */
export interface Container {
  /** Short name for people and the API, e.g. `mp4`, `webm`. */
  name: string;
  /**
   * The one FFmpeg demuxer that may open the file. Forcing it keeps playlists, image sequences and other formats that
   * name further files or addresses out of reach, whatever the file claims to be.
   */
  demuxer: string;
}

/**
 * Tells the container from a file's content and checks, for containers that state their own length, that nothing was
 * cut off: FFmpeg reads a cut file to its end without a complaint.
 *
 * @throws MediaError when the content is no complete video; DecoderFailedError when there is no such readable file
 */
export async function inspectContainer(path: string): Promise<Container> {
  const file = await openRegularFile(path);
  try {
    const { size } = await file.stat();
    if (size === 0) throw new MediaError('not-a-video', 'The file is empty.');
    const head = Buffer.alloc(Math.min(size, HEAD_BYTES));
    await file.read(head, 0, head.length, 0);

    const found = recognise(head);
    if (found.structure && (await findTruncation(file, size, found.structure))) throw incompleteVideo();
    return { name: found.name, demuxer: found.demuxer };
  } finally {
    await file.close();
  }
}

/** As much of a file as its container is told by. */
export const HEAD_BYTES = 4096;

/** Whether the first bytes of a file are those of a video container that is decoded. */
export function isVideo(head: Buffer): boolean {
  return recogniseVideo(head) !== undefined;
}

/** What people call the kind of picture that a file begins like; undefined for anything else. */
export function pictureName(head: Buffer): string | undefined {
  return PICTURES.find(({ matches }) => matches(head))?.name;
}

interface Recognised extends Container {
  structure?: ContainerStructure;
}

async function openRegularFile(path: string): Promise<FileHandle> {
  try {
    // Before opening: to open a named pipe waits for a writer.
    if ((await stat(path)).isFile()) return await open(path, 'r');
  } catch (error) {
    throw new DecoderFailedError('The video file could not be opened', { cause: error });
  }
  throw new DecoderFailedError('The video is not a regular file');
}

function recognise(head: Buffer): Recognised {
  const video = recogniseVideo(head);
  if (video) return video;
  const picture = pictureName(head);
  if (picture) throw new MediaError('unsupported-format', `The file is a ${picture} picture, not a video.`);
  if (SOUNDS.some((matches) => matches(head))) {
    throw new MediaError('no-video-stream', 'The file holds sound only, no video.');
  }
  throw new MediaError(
    'not-a-video',
    'The file is not a video. Accepted are MP4, MOV, MKV, WebM, AVI, MPEG, MPEG-TS, FLV, OGG and WMV.',
  );
}

function recogniseVideo(head: Buffer): Recognised | undefined {
  if (MOVIE_BOXES.has(text(head, 4, 4)) && !STILL_BRANDS.has(brand(head) ?? '')) {
    return { name: movieName(brand(head)), demuxer: 'mov', structure: 'boxes' };
  }
  if (startsWith(head, [0x1a, 0x45, 0xdf, 0xa3])) {
    const name = head.subarray(0, 128).includes('webm') ? 'webm' : 'matroska';
    return { name, demuxer: 'matroska', structure: 'ebml' };
  }
  if (text(head, 0, 4) === 'RIFF' && text(head, 8, 4) === 'AVI ') {
    return { name: 'avi', demuxer: 'avi', structure: 'riff' };
  }
  if (text(head, 0, 4) === 'OggS') return { name: 'ogg', demuxer: 'ogg', structure: 'ogg-pages' };
  if (text(head, 0, 3) === 'FLV') return { name: 'flv', demuxer: 'flv', structure: 'flv-tags' };
  if (startsWith(head, [0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11])) {
    return { name: 'asf', demuxer: 'asf', structure: 'asf' };
  }
  if (startsWith(head, [0x00, 0x00, 0x01, 0xba])) return { name: 'mpeg', demuxer: 'mpeg' };
  if (isTransportStream(head)) return { name: 'mpegts', demuxer: 'mpegts' };
  return undefined;
}

const MOVIE_BOXES = new Set(['ftyp', 'styp', 'moov', 'mdat', 'free', 'skip', 'wide', 'pnot']);
const STILL_BRANDS = new Set(['avif', 'avis', 'heic', 'heix', 'heim', 'heis', 'mif1', 'msf1']);

function brand(head: Buffer): string | undefined {
  return text(head, 4, 4) === 'ftyp' ? text(head, 8, 4) : undefined;
}

function movieName(majorBrand: string | undefined): string {
  // Files from before the `ftyp` box existed are QuickTime files.
  if (majorBrand === undefined || majorBrand === 'qt  ') return 'mov';
  return /^3g[2p]/.test(majorBrand) ? '3gp' : 'mp4';
}

/** Packets of 188 bytes, or of 192 with a time stamp in front (Blu-ray, camcorders), each with the sync byte 0x47. */
function isTransportStream(head: Buffer): boolean {
  const hasSync = (first: number, distance: number) =>
    [0, 1, 2].every((packet) => head[first + packet * distance] === 0x47);
  return hasSync(0, 188) || hasSync(4, 192);
}

const PICTURES: { name: string; matches: (head: Buffer) => boolean }[] = [
  { name: 'PNG', matches: (head) => startsWith(head, [0x89, 0x50, 0x4e, 0x47]) },
  { name: 'JPEG', matches: (head) => startsWith(head, [0xff, 0xd8, 0xff]) },
  { name: 'GIF', matches: (head) => text(head, 0, 4) === 'GIF8' },
  { name: 'WebP', matches: (head) => text(head, 0, 4) === 'RIFF' && text(head, 8, 4) === 'WEBP' },
  { name: 'BMP', matches: (head) => text(head, 0, 2) === 'BM' && head.length > 26 && head.readUInt32LE(6) === 0 },
  { name: 'TIFF', matches: (head) => ['II*\0', 'MM\0*'].includes(text(head, 0, 4)) },
  { name: 'HEIF or AVIF', matches: (head) => STILL_BRANDS.has(brand(head) ?? '') },
];

const SOUNDS: ((head: Buffer) => boolean)[] = [
  (head) => text(head, 0, 4) === 'RIFF' && text(head, 8, 4) === 'WAVE',
  (head) => text(head, 0, 4) === 'fLaC',
  (head) => text(head, 0, 3) === 'ID3',
  // Frame sync of MPEG audio (MP3) and of AAC in ADTS.
  (head) => head[0] === 0xff && [0xfb, 0xf3, 0xf2, 0xf1, 0xf9].includes(head[1] ?? 0),
];

function text(head: Buffer, offset: number, length: number): string {
  return head.toString('latin1', offset, offset + length);
}

function startsWith(head: Buffer, bytes: number[]): boolean {
  return bytes.every((byte, index) => head[index] === byte);
}
