import type { VideoInfo } from '../../platform/media/video-decoder.port.js';

export interface Video extends VideoInfo {
  id: string;
  datasetId: string;
  name: string;
  /** Of the stored file, which other videos of the same content share. */
  storageKey: string;
  sizeBytes: number;
  /** Of the whole file, lower-case hex. */
  sha256: string;
  /** Credits paid for it. */
  cost: number;
  createdAt: Date;
}

interface FileFormat {
  mediaType: string;
  /** With its dot. */
  extension: string;
}

/** By the names that containers are recognised under. */
const FILE_FORMATS: Readonly<Record<string, FileFormat>> = {
  '3gp': { mediaType: 'video/3gpp', extension: '.3gp' },
  asf: { mediaType: 'video/x-ms-asf', extension: '.asf' },
  avi: { mediaType: 'video/x-msvideo', extension: '.avi' },
  flv: { mediaType: 'video/x-flv', extension: '.flv' },
  matroska: { mediaType: 'video/matroska', extension: '.mkv' },
  mov: { mediaType: 'video/quicktime', extension: '.mov' },
  mp4: { mediaType: 'video/mp4', extension: '.mp4' },
  mpeg: { mediaType: 'video/mpeg', extension: '.mpg' },
  mpegts: { mediaType: 'video/mp2t', extension: '.ts' },
  ogg: { mediaType: 'video/ogg', extension: '.ogv' },
  webm: { mediaType: 'video/webm', extension: '.webm' },
};

/** How the file of a video is told to programs that save or play it. */
export function fileFormatOf({ container }: Pick<Video, 'container'>): FileFormat {
  return FILE_FORMATS[container] ?? { mediaType: 'application/octet-stream', extension: '' };
}

export type NewVideo = Omit<Video, 'createdAt'>;

/** As the API accepts it for names of videos. */
const NAME_MAX_LENGTH = 200;

/** One video keeps the name of its upload; of several, each gets its number: `name-1`, `name-2`, … */
export function videoNames(name: string, count: number): string[] {
  if (count === 1) return [name];
  return Array.from({ length: count }, (_, index) => {
    const suffix = `-${index + 1}`;
    return `${name.slice(0, NAME_MAX_LENGTH - suffix.length).replace(/[\ud800-\udbff]$/, '')}${suffix}`;
  });
}
