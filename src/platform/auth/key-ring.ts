import type { KeyObject } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../logging/logger.js';
import {
  loadOrCreateSigningKeys,
  loadSigningKeys,
  retiresAt,
  type KeyPaths,
  type KeySet,
  type SigningKeys,
} from './signing-keys.js';

/** A public key as others can fetch it (RFC 7517). */
export interface PublishedKey {
  kty: 'RSA';
  use: 'sig';
  alg: 'RS256';
  kid: string;
  n: string;
  e: string;
}

/** What was read this long ago is looked at again before it is used: that is how a rotation becomes known. */
const CHECK_MS = 2_000;
/** A token of an unknown key makes for a look at the files, but not more often than this. */
const UNKNOWN_KEY_MS = 500;

interface Options {
  paths: KeyPaths;
  /** How long a token is valid. */
  tokenSeconds: number;
  logger: Logger;
}

/**
 * The keys of tokens as they lie in the files: one that signs, and after a rotation the one before it, until its last
 * token has expired. Processes that run notice a rotation by themselves, and so does each that meets a token of a key it
 * does not know yet.
 */
export class KeyRing {
  private checkedAt = performance.now();
  private checking: Promise<void> | undefined;
  private searching: Promise<void> | undefined;

  private constructor(
    private keys: KeySet,
    private readonly options: Options,
  ) {}

  /** Makes a pair first when there is none. @throws SigningKeyError */
  static async open(options: Options): Promise<KeyRing> {
    const { created, ...keys } = await loadOrCreateSigningKeys(options.paths);
    const file = options.paths.privateKeyPath;
    if (created) options.logger.info('Made a key pair for tokens', { file });
    if (keys.exposed) options.logger.warn('Other users can read the private key; run chmod 600 on it', { file });
    return new KeyRing(keys, options);
  }

  async signing(): Promise<SigningKeys> {
    await this.checkIfOld();
    return this.keys.signing;
  }

  /** The key of this id if its tokens count; null otherwise. */
  async verifying(keyId: string): Promise<KeyObject | null> {
    await this.checkIfOld();
    const known = this.find(keyId);
    if (known !== null) return known;
    await this.search();
    return this.find(keyId);
  }

  /** Every key whose tokens count, the one that signs first. */
  async published(): Promise<PublishedKey[]> {
    await this.checkIfOld();
    const { signing } = this.keys;
    const previous = this.livePrevious();
    return [signing, ...(previous === null ? [] : [previous])].map(({ keyId, publicKey }) => {
      const { n, e } = publicKey.export({ format: 'jwk' }) as { n: string; e: string };
      return { kty: 'RSA', use: 'sig', alg: 'RS256', kid: keyId, n, e };
    });
  }

  private find(keyId: string): KeyObject | null {
    const { signing } = this.keys;
    const previous = this.livePrevious();
    return [signing, previous].find((key) => key?.keyId === keyId)?.publicKey ?? null;
  }

  private livePrevious() {
    const { previous } = this.keys;
    return previous !== null && retiresAt(previous, this.options.tokenSeconds) > new Date() ? previous : null;
  }

  private async checkIfOld(): Promise<void> {
    if (performance.now() - this.checkedAt < CHECK_MS) return;
    this.checking ??= this.check().finally(() => (this.checking = undefined));
    await this.checking;
  }

  /** One look for all who are waiting for one; whoever comes while it is going on waits for the next. */
  private async search(): Promise<void> {
    this.searching ??= this.searchSoon();
    await this.searching;
  }

  private async searchSoon(): Promise<void> {
    // Also when there is nothing to wait for: before this promise is kept, forgetting it would leave it there for good.
    await wait(Math.max(0, this.checkedAt + UNKNOWN_KEY_MS - performance.now()));
    this.searching = undefined;
    await this.check();
  }

  /** What cannot be read leaves the keys as they were: they are right until somebody replaces them. */
  private async check(): Promise<void> {
    this.checkedAt = performance.now();
    const { paths, logger } = this.options;
    try {
      const found = await loadSigningKeys(paths);
      if (found === null) throw new Error(`${paths.privateKeyPath} is missing`);
      if (found.signing.keyId !== this.keys.signing.keyId) logger.info('Tokens are signed by a new key from now on');
      this.keys = found;
    } catch (error) {
      logger.warn('The keys of tokens cannot be read; going on with those that are known', { error });
    }
  }
}
