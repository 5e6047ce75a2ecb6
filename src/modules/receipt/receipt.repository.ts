import type { PublishedReceiptKey } from '../../platform/auth/receipt-key.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import { ReceiptKeyDao } from './receipt-key.dao.js';
import { ReceiptDao } from './receipt.dao.js';
import type { StoredReceipt } from './receipt.domain.js';

/** One receipt per completed job: written once, signed once. */
export class ReceiptRepository {
  private readonly receipts: ReceiptDao;
  private readonly keys: ReceiptKeyDao;

  constructor(scope: DatabaseScope) {
    this.receipts = new ReceiptDao(scope);
    this.keys = new ReceiptKeyDao(scope);
  }

  /** Writes down what the job came to; what stands there already stays. */
  add(jobId: string, payload: string): Promise<void> {
    return this.receipts.insertFirst(jobId, payload);
  }

  async ofJob(jobId: string): Promise<StoredReceipt | null> {
    const row = await this.receipts.findByJob(jobId);
    return row === null ? null : { payload: row.payload, jws: row.jws };
  }

  /** Keeps the signature and the key that verifies it; in a transaction. A signature that is there stays. */
  async seal(jobId: string, jws: string, key: PublishedReceiptKey): Promise<void> {
    await this.publish(key);
    await this.receipts.sign(jobId, key.kid, jws);
  }

  async publish({ kid, x }: PublishedReceiptKey): Promise<void> {
    await this.keys.insertFirst(kid, x);
  }

  /** Every key that has ever signed, and the one that does; newest first. */
  async publishedKeys(): Promise<PublishedReceiptKey[]> {
    const rows = await this.keys.list();
    return rows.map(({ keyId, publicKey }) => ({
      ...{ kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA' },
      ...{ kid: keyId, x: publicKey },
    }));
  }
}
