import { randomBytes } from 'node:crypto';
import bcrypt from 'bcrypt';
import { PASSWORD_MAX_BYTES } from '../../contract/account.contract.js';

/** bcrypt, kept from its two traps: input beyond 72 bytes is cut silently, and a missing account answers too fast. */
export class PasswordHasher {
  private readonly decoy: Promise<string>;

  constructor(private readonly cost: number) {
    this.decoy = bcrypt.hash(randomBytes(18).toString('base64'), cost);
    this.decoy.catch(() => undefined); // awaited on the first login of an unknown account, which then fails by it
  }

  /** @throws RangeError for a password that bcrypt would cut; requests are checked before they come here */
  async hash(password: string): Promise<string> {
    if (!fits(password)) throw new RangeError(`A password has at most ${PASSWORD_MAX_BYTES} bytes and no NUL.`);
    return bcrypt.hash(password, this.cost);
  }

  /** Takes as long without an account (`hash` null) as with one. */
  async verify(password: string, hash: string | null): Promise<boolean> {
    const usable = fits(password) && hash !== null;
    const equal = await bcrypt.compare(usable ? password : 'decoy', hash ?? (await this.decoy));
    return usable && equal;
  }
}

function fits(password: string): boolean {
  return Buffer.byteLength(password) <= PASSWORD_MAX_BYTES && !password.includes('\0');
}
