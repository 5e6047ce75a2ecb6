import { randomBytes } from 'node:crypto';

/** A file that stays for as long as the reservation lasts, whoever else lets go of it. */
export interface ReservedFile {
  reservationId: string;
  storageKey: string;
}

/** Videos lie below this. */
export const FILE_PREFIX = 'videos/';

/**
 * Where new content goes: `videos/<first two of the hash>/<hash>-<suffix>`. The suffix makes a name that was never used
 * before: whoever removes an old file of the same content late, removes that one and no other.
 */
export const newStorageKey = (sha256: string): string =>
  `${FILE_PREFIX}${sha256.slice(0, 2)}/${sha256}-${randomBytes(6).toString('hex')}`;
