import { randomBytes } from 'node:crypto';

/** A file that stays for as long as the reservation lasts, whoever else lets go of it. */
export interface ReservedFile {
  reservationId: string;
  storageKey: string;
}

/** Videos lie below this. */
export const FILE_PREFIX = 'videos/';

/** Their small pictures lie below this; each goes with its file. */
export const THUMBNAIL_PREFIX = 'thumbnails/';

const THUMBNAIL_SUFFIX = '.jpg';

export const thumbnailKey = (storageKey: string): string =>
  `${THUMBNAIL_PREFIX}${storageKey.slice(FILE_PREFIX.length)}${THUMBNAIL_SUFFIX}`;

/** The file that a small picture belongs to. */
export const fileOfThumbnail = (key: string): string =>
  `${FILE_PREFIX}${key.slice(THUMBNAIL_PREFIX.length, -THUMBNAIL_SUFFIX.length)}`;

/**
 * Where new content goes: `videos/<first two of the hash>/<hash>-<suffix>`. The suffix makes a name that was never used
 * before: whoever removes an old file of the same content late, removes that one and no other.
 */
export const newStorageKey = (sha256: string): string =>
  `${FILE_PREFIX}${sha256.slice(0, 2)}/${sha256}-${randomBytes(6).toString('hex')}`;
