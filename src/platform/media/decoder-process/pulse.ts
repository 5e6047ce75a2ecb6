import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DecoderMessage } from '../decoder-process.protocol.js';
import { tooMuchMemory } from '../media-problems.js';

const PERIOD_MS = 250;

/**
 * FFmpeg is called on the one thread of this process, which is the fastest way and makes it deaf meanwhile. Between
 * calls the pulse gives it a turn to hear that its parent is gone, tells the parent of progress, and watches memory.
 */
export class Pulse {
  private last = performance.now();
  private reported = 0;

  constructor(
    private readonly maxMemoryBytes: number,
    private readonly report: (message: DecoderMessage) => Promise<void>,
  ) {}

  get isDue(): boolean {
    return performance.now() - this.last >= PERIOD_MS;
  }

  /** @throws MediaError when the process has grown beyond its limit */
  async beat(decodedFrames: number): Promise<void> {
    if (process.memoryUsage.rss() > this.maxMemoryBytes) throw tooMuchMemory();
    if (decodedFrames > this.reported) {
      this.reported = decodedFrames;
      await this.report({ type: 'progress', decodedFrames });
    }
    await nextTurn();
    this.last = performance.now();
  }
}
