/**
 * The process that decodes: started by `NodeAvDecoder` for one request, ended after it. The only file that loads
 * node-av, whose binary is GPLv3 and works on hostile input: neither belongs into the process of the application.
 */
import { once } from 'node:events';
import { Socket } from 'node:net';
import {
  AV_DISPOSITION_ATTACHED_PIC,
  AV_DISPOSITION_TIMED_THUMBNAILS,
  AV_FRAME_FLAG_CORRUPT,
  AV_LOG_QUIET,
  AV_PIX_FMT_GRAY8,
  AV_PKT_FLAG_CORRUPT,
  AVCOL_RANGE_JPEG,
  AVDISCARD_ALL,
  AVERROR_EAGAIN,
  AVERROR_ENOMEM,
  AVERROR_EOF,
  AVMEDIA_TYPE_VIDEO,
  SWS_ACCURATE_RND,
  SWS_BILINEAR,
  type AVPixelFormat,
  type SwsFlags,
} from 'node-av/constants';
import {
  avGetCodecName,
  avGetPixFmtName,
  Codec,
  CodecContext,
  Dictionary,
  FFmpegError,
  FormatContext,
  Frame,
  InputFormat,
  Log,
  Packet,
  SoftwareScaleContext,
  type Rational,
  type Stream,
} from 'node-av/lib';
import { maxPixels, PROBE_THREADS } from './decoder-settings.js';
import { FRAME_PIPE, writeFrameHeader, type DecoderMessage, type DecoderRequest } from './decoder-process.protocol.js';
import { grayTable, lumaLayout, lumaToGray } from './luma.js';
import {
  changingSize,
  damagedVideo,
  endsBefore,
  incompleteVideo,
  noPictures,
  tooManyFrames,
  tooMuchMemory,
} from './media-problems.js';
import { lastIndexOf } from './frame-range.js';
import { offerToOutOfMemoryKiller } from '../out-of-memory.js';
import { DecoderFailedError, MediaError, type FrameRange, type VideoInfo } from './video-decoder.port.js';
import { assertPictureSize, chooseVideoStream, describeVideo, type StreamFacts } from './video-stream.js';

const HEARTBEAT_MS = 500;
const MAX_STREAMS = 64;

// The parent is gone. SIGKILL, because an orderly exit would wait for FFmpeg calls that are under way.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('message', (request: DecoderRequest) => void serve(request));

let decodedFrames = 0;

async function serve(request: DecoderRequest): Promise<void> {
  Log.setLevel(AV_LOG_QUIET);
  await offerToOutOfMemoryKiller(500);
  const heartbeat = startHeartbeat(request.limits.maxMemoryBytes);
  try {
    if (request.range) await sendFrames(request, request.range);
    else await report({ type: 'described', video: await describe(request) });
  } catch (error) {
    await report(asMessage(error));
  } finally {
    clearInterval(heartbeat);
  }
  process.exit(0);
}

/** Decodes everything: headers lie about the number of frames, and only this finds damage. */
async function describe(request: DecoderRequest): Promise<VideoInfo> {
  const source = await openSource(request);
  const decoder = openDecoder(source, request);
  let size = { width: 0, height: 0 };
  for await (const frame of decodeAll(source, decoder, request)) {
    size = { width: frame.width, height: frame.height };
    if (decodedFrames > request.limits.maxFrames) throw tooManyFrames(request.limits);
  }
  if (decodedFrames === 0) throw noPictures();
  if (source.packets < (source.facts.indexedFrames ?? 0)) await assertIndexIsServed(source.facts, request);
  return describeVideo(request.container, source.facts, source.durationSeconds, { ...size, frameCount: decodedFrames });
}

async function sendFrames(request: DecoderRequest, range: FrameRange): Promise<void> {
  const pipe = new Socket({ fd: FRAME_PIPE, readable: false, writable: true });
  const source = await openSource(request);
  const decoder = openDecoder(source, request);
  const toGray = createGrayConverter();
  const last = lastIndexOf(range);
  for await (const frame of decodeAll(source, decoder, request)) {
    const index = decodedFrames - 1;
    if (index >= range.start && (index - range.start) % range.step === 0) {
      pipe.write(writeFrameHeader({ index, width: frame.width, height: frame.height }));
      if (!pipe.write(toGray(frame))) await once(pipe, 'drain');
    }
    if (index === last) {
      pipe.end();
      await once(pipe, 'finish');
      return;
    }
  }
  throw endsBefore(decodedFrames, last);
}

interface Source {
  format: FormatContext;
  stream: Stream;
  facts: StreamFacts;
  durationSeconds: number | null;
  /** Packets of the stream read so far. */
  packets: number;
}

async function openSource(request: DecoderRequest, options: Record<string, string> = {}): Promise<Source> {
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
  // The container counts in microseconds.
  return { format, stream, facts, durationSeconds: seconds(format.duration, 1, 1_000_000), packets: 0 };
}

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

function openDecoder({ stream }: Source, { threads, limits, range }: DecoderRequest): CodecContext {
  const codec = Codec.findDecoder(stream.codecpar.codecId);
  if (!codec) throw new MediaError('unsupported-format', 'The encoding of the video is not supported.');
  const decoder = new CodecContext();
  decoder.allocContext3(codec);
  check(decoder.parametersToContext(stream.codecpar));
  decoder.threadCount = range ? threads : PROBE_THREADS;
  check(decoder.setOption('max_pixels', BigInt(maxPixels(limits))));
  check(decoder.open2Sync(codec, null));
  return decoder;
}

/** Every frame in order of presentation. A frame is valid until the next one is asked for. */
async function* decodeAll(source: Source, decoder: CodecContext, request: DecoderRequest): AsyncGenerator<Frame> {
  const packet = new Packet();
  packet.alloc();
  const frame = new Frame();
  frame.alloc();
  const received = () => receiveAll(decoder, frame, request);
  while (await readPacket(source, packet)) {
    // AVI marks a repeated picture by an empty packet.
    if (packet.size > 0) {
      check(await decoder.sendPacket(packet));
      yield* received();
    }
    packet.unref();
  }
  check(await decoder.sendPacket(null));
  yield* received();
}

/** The stream's next packet; false at the end of the file. */
async function readPacket(source: Source, packet: Packet): Promise<boolean> {
  for (;;) {
    const status = await source.format.readFrame(packet);
    if (status === AVERROR_EOF) return false;
    check(status);
    if (packet.streamIndex === source.facts.index) break;
    packet.unref();
  }
  if ((packet.flags & AV_PKT_FLAG_CORRUPT) !== 0) throw damagedVideo();
  source.packets++;
  return true;
}

let firstSize: { width: number; height: number } | undefined;

async function* receiveAll(decoder: CodecContext, frame: Frame, request: DecoderRequest): AsyncGenerator<Frame> {
  for (;;) {
    const status = await decoder.receiveFrame(frame);
    if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return;
    check(status);
    // Pictures that the decoder had to patch up: it says so, but hands them out like good ones.
    if (frame.decodeErrorFlags !== 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) !== 0) throw damagedVideo();
    if (!firstSize) assertPictureSize(frame.width, frame.height, request.limits);
    firstSize ??= { width: frame.width, height: frame.height };
    if (frame.width !== firstSize.width || frame.height !== firstSize.height) throw changingSize();
    decodedFrames++;
    yield frame;
    frame.unref();
  }
}

/** An edit list hides frames of the index; without one, a packet that cannot be read is missing from the file. */
async function assertIndexIsServed(facts: StreamFacts, request: DecoderRequest): Promise<void> {
  if (request.container.demuxer !== 'mov') return;
  const source = await openSource(request, { ignore_editlist: '1' });
  const packet = new Packet();
  packet.alloc();
  while (await readPacket(source, packet)) packet.unref();
  if (source.packets < (facts.indexedFrames ?? 0)) throw incompleteVideo();
}

function createGrayConverter(): (frame: Frame) => Buffer {
  const tables = new Map<string, Uint8Array>();
  const tableFor = (bits: number, isFullRange: boolean): Uint8Array => {
    const key = `${bits}-${isFullRange}`;
    const table = tables.get(key) ?? grayTable(bits, isFullRange);
    tables.set(key, table);
    return table;
  };
  const scaler = new SoftwareScaleContext();
  return (frame) => {
    const layout = lumaLayout(avGetPixFmtName(frame.format as AVPixelFormat) ?? '');
    const stride = frame.linesize[0] ?? 0;
    const plane = frame.data?.[0];
    // A negative stride is a picture stored bottom-up, which the scaler turns over.
    if (!layout || !plane || stride <= 0) return grayByScaler(scaler, frame, tableFor(8, true));
    const isFullRange = layout.isFullRange || frame.colorRange === AVCOL_RANGE_JPEG;
    return lumaToGray(plane, stride, frame.width, frame.height, tableFor(layout.bits, isFullRange));
  };
}

/** For RGB, palettes and packed formats: FFmpeg computes the grey, with the weights of ITU-R BT.601 as OpenCV does. */
function grayByScaler(scaler: SoftwareScaleContext, frame: Frame, identity: Uint8Array): Buffer {
  const { width, height } = frame;
  const format = frame.format as AVPixelFormat;
  const flags = (SWS_BILINEAR | SWS_ACCURATE_RND) as SwsFlags;
  scaler.getContext(width, height, format, width, height, AV_PIX_FMT_GRAY8, flags);
  const gray = new Frame();
  gray.alloc();
  Object.assign(gray, { width, height, format: AV_PIX_FMT_GRAY8 });
  try {
    check(gray.allocBuffer());
    check(scaler.scaleFrameSync(gray, frame));
    const plane = gray.data?.[0];
    if (!plane) throw new DecoderFailedError('The grey picture has no content');
    return lumaToGray(plane, gray.linesize[0] ?? width, width, height, identity);
  } finally {
    gray.free();
  }
}

/** Errors of FFmpeg are the file's fault, lack of memory is not. */
function check(status: number): void {
  if (status >= 0) return;
  const cause = new FFmpegError(status);
  if (status === AVERROR_ENOMEM) throw new DecoderFailedError('The video decoder ran out of memory', { cause });
  throw damagedVideo(cause);
}

function startHeartbeat(maxMemoryBytes: number): NodeJS.Timeout {
  let reported = 0;
  return setInterval(() => {
    if (process.memoryUsage.rss() > maxMemoryBytes) void report(asMessage(tooMuchMemory())).then(() => process.exit(0));
    else if (decodedFrames > reported) void report({ type: 'progress', decodedFrames: (reported = decodedFrames) });
  }, HEARTBEAT_MS);
}

function asMessage(error: unknown): DecoderMessage {
  if (error instanceof MediaError) return { type: 'media-error', problem: error.problem, message: error.message };
  return { type: 'decoder-error', message: error instanceof Error ? error.message : String(error) };
}

function report(message: DecoderMessage): Promise<void> {
  return new Promise((resolve) => {
    // A failure means that the parent is gone, and then `disconnect` ends this process.
    process.send?.(message, () => resolve());
  });
}
