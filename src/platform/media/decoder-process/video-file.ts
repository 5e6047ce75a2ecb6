import {
  AV_DISPOSITION_ATTACHED_PIC,
  AV_DISPOSITION_TIMED_THUMBNAILS,
  AV_PKT_DATA_DISPLAYMATRIX,
  AVDISCARD_ALL,
  AVERROR_EOF,
  AVMEDIA_TYPE_VIDEO,
} from 'node-av/constants';
import {
  avGetCodecName,
  Dictionary,
  FormatContext,
  InputFormat,
  type Packet,
  type Rational,
  type Stream,
} from 'node-av/lib';
import type { DecoderRequest } from '../decoder-process.protocol.js';
import { orientationOf, UPRIGHT, type Orientation } from '../orientation.js';
import { DecoderFailedError } from '../video-decoder.port.js';
import { chooseVideoStream, type StreamFacts } from '../video-stream.js';
import { check } from './check.js';

const MAX_STREAMS = 64;

/** An open file and the one stream in it that is decoded. */
export class VideoFile {
  /** Packets of the stream read so far. */
  packets = 0;

  private constructor(
    private readonly format: FormatContext,
    readonly stream: Stream,
    readonly facts: StreamFacts,
  ) {}

  /**
   * @param options options of the demuxer
   * @throws MediaError when there is no video in it that is accepted
   */
  static async open(request: DecoderRequest, options: Record<string, string> = {}): Promise<VideoFile> {
    const { container, limits, path } = request;
    const format = new FormatContext();
    // One local file and one demuxer: nothing inside the file can make FFmpeg open anything else.
    const safeguards = { protocol_whitelist: 'file', format_whitelist: container.demuxer };
    const settings = Dictionary.fromObject({ ...safeguards, max_streams: MAX_STREAMS, ...options });
    check(await format.openInput(`file:${path}`, InputFormat.findInputFormat(container.demuxer), settings));
    check(await format.findStreamInfo());

    const streams = format.streams;
    const facts = chooseVideoStream(streams.map(factsOf), container, limits);
    const stream = streams[facts.index];
    if (!stream) throw new DecoderFailedError('The chosen stream is gone');
    for (const other of streams) if (other.index !== facts.index) other.discard = AVDISCARD_ALL;
    return new VideoFile(format, stream, facts);
  }

  get orientation(): Orientation {
    const bytes = this.stream.codecpar.getCodedSideData(AV_PKT_DATA_DISPLAYMATRIX);
    if (!bytes || bytes.length < DISPLAY_MATRIX_BYTES) return UPRIGHT;
    // Numbers of the machine's own byte order; the copy is aligned.
    return orientationOf(new Int32Array(Uint8Array.from(bytes.subarray(0, DISPLAY_MATRIX_BYTES)).buffer));
  }

  get durationSeconds(): number | null {
    // The container counts in microseconds.
    return seconds(this.format.duration, 1, 1_000_000);
  }

  /** Reads the stream's next packet; false at the end of the file. */
  read(packet: Packet): boolean {
    for (;;) {
      const status = this.format.readFrameSync(packet);
      if (status === AVERROR_EOF) return false;
      check(status);
      if (packet.streamIndex === this.facts.index) break;
      packet.unref();
    }
    this.packets++;
    return true;
  }

  close(): void {
    this.format.closeInputSync();
  }
}

const DISPLAY_MATRIX_BYTES = 36;

function factsOf(stream: Stream): StreamFacts {
  const { codecpar, avgFrameRate, disposition, timeBase } = stream;
  const pictureOnly = AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS;
  return {
    index: stream.index,
    isVideo: codecpar.codecType === AVMEDIA_TYPE_VIDEO,
    codec: avGetCodecName(codecpar.codecId) ?? '',
    width: codecpar.width,
    height: codecpar.height,
    isAttachedPicture: (disposition & pictureOnly) !== 0,
    frameRate: fraction(avgFrameRate),
    durationSeconds: seconds(stream.duration, timeBase.num, timeBase.den),
    indexedFrames: stream.nbFrames > 0n ? Number(stream.nbFrames) : null,
  };
}

function fraction(rational: Rational): StreamFacts['frameRate'] {
  return { numerator: rational.num, denominator: rational.den };
}

/** Null for FFmpeg's "unknown", the most negative number. */
function seconds(duration: bigint, numerator: number, denominator: number): number | null {
  return duration > 0n && denominator > 0 ? (Number(duration) * numerator) / denominator : null;
}
