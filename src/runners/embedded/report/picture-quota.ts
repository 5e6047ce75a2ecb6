import type { FrameReport, VisualizeMode } from '../../runner.port.js';
import { picturePlan } from '../../result/frame-plan.js';
import type { PictureSink } from '../../result/result-archive.js';

/**
 * Keeps the pictures of a job from filling the disk. Once they take so many bytes, only those are made that the mode
 * `sampled` would have: a hundred at most. What it decides depends on the pictures alone, those of earlier attempts included.
 */
export class PictureQuota implements PictureSink {
  private bytes = 0;
  private pictures = 0;
  private readonly isPlanned: (position: number) => boolean;
  private readonly isSample: (position: number) => boolean;

  constructor(
    private readonly sink: PictureSink,
    private readonly options: { visualize: VisualizeMode; total: number; maxBytes: number },
  ) {
    this.isPlanned = picturePlan(options.visualize, options.total);
    this.isSample = picturePlan('sampled', options.total);
  }

  /** Whether the frame at this position among the processed ones gets a picture. */
  wants(position: number): boolean {
    return this.isPlanned(position) && (this.bytes < this.options.maxBytes || this.isSample(position));
  }

  async addStored(name: string, content: Uint8Array): Promise<void> {
    await this.sink.addStored(name, content);
    this.pictures++;
    this.bytes += content.byteLength;
  }

  /** @param frames all of the job */
  warnings(frames: readonly FrameReport[]): string[] {
    const { visualize, maxBytes } = this.options;
    const readable = frames.filter(({ problem }) => problem !== 'unreadable-frame').length;
    const missing = visualize === 'all' ? readable - this.pictures : 0;
    if (missing === 0) return [];
    return [
      `${missing} of ${readable} frames have no picture: the first ones had taken ${maxBytes} bytes, which is all that this installation allows, and from there on only a sample was made.`,
    ];
  }
}
