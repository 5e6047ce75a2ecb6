import type { LocalFile, ObjectStore } from '../../platform/storage/object-store.port.js';

/** Files of the store that lie on this machine while one attempt works on them. */
export class JobFiles {
  private readonly files: LocalFile[] = [];

  constructor(
    private readonly store: Pick<ObjectStore, 'localFile'>,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * @returns a path to the object's content, until `release`
   * @throws ObjectMissingError
   */
  async path(key: string): Promise<string> {
    const file = await this.store.localFile(key, this.signal);
    this.files.push(file);
    return file.path;
  }

  async release(): Promise<void> {
    for (const file of this.files.splice(0)) await file.release();
  }
}
