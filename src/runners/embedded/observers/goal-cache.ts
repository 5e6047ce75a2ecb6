import { createHash } from 'node:crypto';
import type { Detector } from '../../detector.js';
import type { GrayImage } from '../vision/features.js';

/**
 * What was found out about goal frames, kept from job to job: many jobs share a goal. The least recently used goes first
 * when it becomes too much.
 */
export class GoalCache {
  private readonly entries = new Map<string, { value: unknown; bytes: number }>();
  private keptBytes = 0;

  constructor(private readonly maximumBytes: number) {}

  /** Bytes kept now, as `sizeOf` counted them. */
  get bytes(): number {
    return this.keptBytes;
  }

  /**
   * The value kept under the key, or a new one. What is kept may be handed out again: it must not be changed.
   *
   * @param key names the content, and what was made of it: the same key always has values of the same type
   * @param sizeOf bytes of a value; one that is too large on its own is not kept
   * @throws what `make` throws; nothing is kept then
   */
  async remember<Value>(
    key: string,
    make: () => Promise<Value> | Value,
    sizeOf: (value: Value) => number,
  ): Promise<Value> {
    const known = this.entries.get(key);
    if (known !== undefined) {
      // The order of a map is that of insertion: what was used last goes to the end.
      this.entries.delete(key);
      this.entries.set(key, known);
      return known.value as Value;
    }
    const value = await make();
    this.keep(key, value, sizeOf(value));
    return value;
  }

  private keep(key: string, value: unknown, bytes: number): void {
    if (bytes > this.maximumBytes || this.entries.has(key)) return;
    this.entries.set(key, { value, bytes });
    this.keptBytes += bytes;
    for (const [oldest, entry] of this.entries) {
      if (this.keptBytes <= this.maximumBytes) return;
      this.entries.delete(oldest);
      this.keptBytes -= entry.bytes;
    }
  }
}

/** Names a goal frame, as a detector sees it, by its content. */
export function goalKey(detector: Detector, { gray, width, height }: GrayImage): string {
  return createHash('sha256').update(`${detector} ${width}x${height} `).update(gray).digest('hex');
}
