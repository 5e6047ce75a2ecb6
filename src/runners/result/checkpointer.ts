import { CHECKPOINT_STATE_BYTES, type RunCheckpoint } from '../runner.port.js';
import { openResultArchive, type PictureSink, type ResultArchive } from './result-archive.js';
import type { FrameLog } from './frame-log.js';

/** So much work is lost at most when the engine dies, beside what is on its way to the receiver. */
const CHECKPOINT_EVERY_MS = 2_000;

export interface CheckpointReceiver {
  onCheckpoint(checkpoint: RunCheckpoint): void;
  /** No more checkpoints are made, for this reason; the job goes on. */
  onFailure(error: unknown): void;
  /** Milliseconds of work between two checkpoints; default two seconds. */
  everyMs?: number;
}

interface Options {
  /** Files of pictures lie beside it. */
  archivePath: string;
  log: FrameLog;
  /** What is to be remembered of all frames so far. */
  saveState(): Uint8Array;
  receiver: CheckpointReceiver;
}

/** Makes checkpoints of one job; each holds the rows and the pictures since the one before. */
export class Checkpointer {
  private keptRows: number;
  private pictures: { path: string; zip: ResultArchive } | null = null;
  private madeAt = performance.now();
  private hasFailed = false;

  constructor(private readonly options: Options) {
    this.keptRows = options.log.processed;
  }

  /** A place for pictures that takes each of them for the next checkpoint as well. */
  alsoInto(sink: PictureSink): PictureSink {
    return {
      addStored: async (name, content) => {
        await sink.addStored(name, content);
        await this.unlessFailed(async () => {
          const { zip } = (this.pictures ??= await this.openPictures());
          await zip.addStored(name, content);
        });
      },
    };
  }

  /** Told when a row, and its picture if it has one, is finished. */
  async afterRow(): Promise<void> {
    const { everyMs = CHECKPOINT_EVERY_MS } = this.options.receiver;
    if (performance.now() - this.madeAt < everyMs) return;
    await this.unlessFailed(() => this.make());
    this.madeAt = performance.now();
  }

  /** Removes what no checkpoint was made of. */
  async discard(): Promise<void> {
    await this.pictures?.zip.discard();
  }

  private async make(): Promise<void> {
    const { log, saveState, receiver } = this.options;
    const firstRow = this.keptRows;
    const state = saveState();
    if (state.byteLength > CHECKPOINT_STATE_BYTES) throw new RangeError(`The state has ${state.byteLength} bytes`);
    const picturesPath = this.pictures?.path ?? null;
    await this.pictures?.zip.finish();
    await this.pictures?.zip.discard();
    this.pictures = null;
    this.keptRows = log.processed;
    const velocity = log.velocity.slice(firstRow);
    const frames = log.frames.slice(firstRow);
    receiver.onCheckpoint({ firstRow, velocity, frames, state, picturesPath });
  }

  private async openPictures(): Promise<{ path: string; zip: ResultArchive }> {
    const path = `${this.options.archivePath}.pictures-${this.keptRows}`;
    return { path, zip: await openResultArchive(path) };
  }

  private async unlessFailed(work: () => Promise<void>): Promise<void> {
    if (this.hasFailed) return;
    try {
      await work();
    } catch (error) {
      this.hasFailed = true;
      this.options.receiver.onFailure(error);
    }
  }
}
