import {
  AV_FRAME_FLAG_CORRUPT,
  AV_NOPTS_VALUE,
  AV_PKT_FLAG_CORRUPT,
  AV_PKT_FLAG_DISCARD,
  AVERROR_EAGAIN,
  AVERROR_ENOMEM,
  AVERROR_EOF,
} from 'node-av/constants';
import { Codec, CodecContext, Frame, Packet } from 'node-av/lib';
import { DECODER_THREADS, maxPixels } from '../decoder-settings.js';
import type { DecoderRequest } from '../decoder-process.protocol.js';
import { FrameNumbering } from '../frame-numbering.js';
import { changingSize, damagedVideo } from '../media-problems.js';
import { MediaError } from '../video-decoder.port.js';
import { assertPictureSize } from '../video-stream.js';
import { asError, check } from './check.js';
import type { Pulse } from './pulse.js';
import type { VideoFile } from './video-file.js';

/** What becomes of damage: it ends the reading, or the pictures it hit are left out. */
export type DamagePolicy = 'refuse' | 'skip';

export interface Picture {
  /** Zero-based position among the pictures of the intact video. */
  index: number;
  /** Valid until the next picture is asked for. */
  frame: Frame;
}

/** Decodes a video from its beginning, picture after picture in order of presentation. */
export class PictureReader {
  /** Pictures decoded so far, broken ones included. */
  decoded = 0;
  private readonly decoder: CodecContext;
  private readonly packet = new Packet();
  private readonly frame = new Frame();
  private readonly numbering = new FrameNumbering();
  private size: { width: number; height: number } | undefined;

  constructor(
    readonly file: VideoFile,
    private readonly request: DecoderRequest,
    private readonly damagePolicy: DamagePolicy,
  ) {
    this.decoder = openDecoder(file, request);
    this.packet.alloc();
    this.frame.alloc();
  }

  /**
   * @throws MediaError when the picture size changes, when damage is refused, or when it leaves no way of telling
   *   which pictures are missing
   */
  async *pictures(pulse: Pulse): AsyncGenerator<Picture> {
    for (let hasMore = true; hasMore;) {
      if (pulse.isDue) await pulse.beat(this.decoded);
      hasMore = this.feed();
      for (let picture = this.receive(); picture; picture = this.receive()) {
        if (picture !== 'broken') yield picture;
        this.frame.unref();
      }
    }
  }

  close(): void {
    this.packet.free();
    this.frame.free();
    this.decoder.freeContext();
    this.file.close();
  }

  /** Gives the decoder its next packet; false when that was the end of the video. */
  private feed(): boolean {
    const { packet } = this;
    if (!this.file.read(packet)) {
      check(this.decoder.sendPacketSync(null));
      return false;
    }
    // AVI marks a repeated picture by an empty packet.
    if (packet.size > 0) {
      // What an edit list hides is decoded, because others build upon it, but not shown.
      if ((packet.flags & AV_PKT_FLAG_DISCARD) === 0) this.numbering.sent(timestamp(packet.pts));
      if ((packet.flags & AV_PKT_FLAG_CORRUPT) !== 0) this.damaged();
      else this.tolerate(this.decoder.sendPacketSync(packet));
    }
    packet.unref();
    return true;
  }

  /** The next picture that the decoder has ready. */
  private receive(): Picture | 'broken' | undefined {
    const { frame } = this;
    for (let failures = 0; failures < MAX_FAILURES; failures++) {
      const status = this.decoder.receiveFrameSync(frame);
      if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return undefined;
      this.tolerate(status);
      if (status >= 0) return this.accept();
    }
    return undefined;
  }

  private accept(): Picture | 'broken' {
    const { frame } = this;
    // Pictures that the decoder had to patch up: it says so, but hands them out like good ones.
    const isBroken = frame.decodeErrorFlags !== 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) !== 0;
    if (isBroken) this.damaged();
    this.assertSize();
    this.decoded++;
    const index = this.numbering.shown(timestamp(frame.pts));
    if (index === undefined) throw damagedVideo();
    return isBroken ? 'broken' : { index, frame };
  }

  private assertSize(): void {
    const { width, height } = this.frame;
    if (!this.size) assertPictureSize(width, height, this.request.limits);
    this.size ??= { width, height };
    if (width !== this.size.width || height !== this.size.height) throw changingSize();
  }

  private tolerate(status: number): void {
    if (status === AVERROR_ENOMEM) check(status);
    if (status < 0) this.damaged(asError(status));
  }

  private damaged(error: Error = damagedVideo()): void {
    if (this.damagePolicy === 'refuse') throw error;
    this.numbering.damaged();
  }
}

/** A decoder that fails says so once for each packet; this many in a row, and it has nothing more to give. */
const MAX_FAILURES = 100;

function timestamp(value: bigint): bigint | null {
  return value === AV_NOPTS_VALUE ? null : value;
}

function openDecoder({ stream }: VideoFile, { limits }: DecoderRequest): CodecContext {
  const codec = Codec.findDecoder(stream.codecpar.codecId);
  if (!codec) throw new MediaError('unsupported-format', 'The encoding of the video is not supported.');
  const decoder = new CodecContext();
  decoder.allocContext3(codec);
  check(decoder.parametersToContext(stream.codecpar));
  decoder.threadCount = DECODER_THREADS;
  check(decoder.setOption('max_pixels', BigInt(maxPixels(limits))));
  check(decoder.open2Sync(codec, null));
  return decoder;
}
