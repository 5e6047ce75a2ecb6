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
