import type { DecoderRequest } from '../decoder-process.protocol.js';
import { PictureReader, type Picture } from './picture-reader.js';
import type { Pulse } from './pulse.js';
import { VideoFile } from './video-file.js';
import type { Orientation } from '../orientation.js';

/** A video that is read from front to back, over several requests if they ask for ever later frames. */
export class OpenVideo {
  /** Index from which on pictures can still be had. */
  position = 0;
  readonly orientation: Orientation;
  private readonly pictures: AsyncGenerator<Picture>;

  private constructor(
    private readonly path: string,
    private readonly reader: PictureReader,
    pulse: Pulse,
  ) {
    this.orientation = reader.file.orientation;
    this.pictures = reader.pictures(pulse);
  }

  static async open(request: DecoderRequest, pulse: Pulse): Promise<OpenVideo> {
    return new OpenVideo(request.path, new PictureReader(await VideoFile.open(request), request, 'skip'), pulse);
  }

  canGive(path: string, index: number): boolean {
    return this.path === path && this.position <= index;
  }

  /** The next picture, valid until the one after it is asked for; undefined at the end of the video. */
  async next(): Promise<Picture | undefined> {
    const next = await this.pictures.next();
    if (next.done) return undefined;
    this.position = next.value.index + 1;
    return next.value;
  }

  close(): void {
    this.reader.close();
  }
}
