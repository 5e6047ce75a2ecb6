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
