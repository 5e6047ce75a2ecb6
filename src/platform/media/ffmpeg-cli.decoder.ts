import { spawn, type ChildProcess } from 'node:child_process';
import { basename, dirname, join, resolve as resolvePath } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { childEnvironment } from '../child-environment.js';
import { ByteReader } from './byte-reader.js';
import { inspectContainer, type Container } from './container-inspector.js';
import { maxPixels, DECODER_THREADS, type DecoderSettings } from './decoder-settings.js';
import { framesInOwnSession } from './frames-in-own-session.js';
import { assertFrameRange, lastIndexOf } from './frame-range.js';
import {
  changingSize,
  damagedVideo,
  endsBefore,
  incompleteVideo,
  noPictures,
  tooManyFrames,
} from './media-problems.js';
import { orientationOf, uprightSize, type Orientation } from './orientation.js';
import { pipeOf, SupervisedChild, type ChildExit } from './supervised-child.js';
import {
  DecoderFailedError,
  type DecodingSession,
  type FrameRange,
  type VideoDecoder,
  type VideoFrame,
  type VideoInfo,
} from './video-decoder.port.js';
import { chooseVideoStream, describeVideo, type StreamFacts } from './video-stream.js';

/** What ffmpeg says when it is not the video that is at fault. */
const OUR_FAULT =
  /Cannot allocate memory|Permission denied|not found|error while loading shared libraries|Unrecognized option|No such file/;

/** Decodes with an FFmpeg (5.1 or newer) that the machine brings, instead of the one that comes with node-av. */
export class FfmpegCliDecoder implements VideoDecoder {
  readonly #ffprobePath: string;

  constructor(
    private readonly ffmpegPath: string,
    private readonly settings: DecoderSettings,
  ) {
    const ffprobe = basename(ffmpegPath).replace('ffmpeg', 'ffprobe');
    // A bare name is looked up in PATH, and so is the one beside it.
    this.#ffprobePath = ffmpegPath === basename(ffmpegPath) ? ffprobe : join(dirname(ffmpegPath), ffprobe);
  }

  async probe(path: string, { signal }: { signal: AbortSignal }): Promise<VideoInfo> {
    const deadline = Date.now() + this.settings.probeTimeoutMs;
    const file = await this.#open(path, signal);
    const decoded = await this.#countFrames(file, signal, deadline - Date.now());
    const { indexedFrames } = file.stream;
    if (indexedFrames !== null && decoded < indexedFrames) await this.#assertIndexIsServed(file, indexedFrames, signal);
    const size = uprightSize(file.stream, file.orientation);
    return describeVideo(file.container, file.stream, file.durationSeconds, { ...size, frameCount: decoded });
  }

  frames(path: string, range: FrameRange, options: { signal: AbortSignal }): AsyncGenerator<VideoFrame> {
    return framesInOwnSession(this, path, range, options);
  }

  openSession(): DecodingSession {
    return {
      frames: (path, range, { signal }) => this.#frames(path, range, signal),
      close: async () => undefined,
    };
  }

  /** Each run of ffmpeg is about one video: there is nothing to start ahead. */
  prepare(): void {}

  async close(): Promise<void> {}

  async *#frames(path: string, range: FrameRange, signal: AbortSignal): AsyncGenerator<VideoFrame> {
    assertFrameRange(range);
    const file = await this.#open(path, signal);
    const { width, height } = uprightSize(file.stream, file.orientation);
    const last = lastIndexOf(range);
    const sink = ['-frames:v', String(last + 1), '-f', 'rawvideo', 'pipe:1'];
    const child = this.#run(this.ffmpegPath, this.#decodeArguments(file, sink), signal);
    try {
      const reader = new ByteReader(child.output);
      const skipped = new Uint8Array(width * height);
      for (let index = 0; index <= last; index++) {
        const isWanted = index >= range.start && (index - range.start) % range.step === 0;
        const gray = isWanted ? new Uint8Array(width * height) : skipped;
        if (!(await child.watch(reader.fill(gray)))) {
          this.#assertIntact(await child.watch(child.exit), child);
          throw endsBefore(index, last);
        }
        if (isWanted) yield { index, width, height, gray };
      }
    } finally {
      await child.end();
    }
  }

  async #open(path: string, signal: AbortSignal): Promise<OpenedFile> {
    signal.throwIfAborted();
    const container = await inspectContainer(path);
    signal.throwIfAborted();
    const input = inputArguments(container, resolvePath(path));
    const facts = await this.#ask(['-show_streams', '-show_format', ...input], signal);
    const stream = chooseVideoStream(facts.streams.map(factsOf), container, this.settings.limits);
    const orientation = orientationIn(facts.streams.find(({ index }) => index === stream.index));
    return { container, input, stream, orientation, durationSeconds: positive(facts.format?.duration) };
  }

  /** Decodes everything: headers lie about the number of frames, and only this finds damage. */
  async #countFrames(file: OpenedFile, signal: AbortSignal, limitMs: number): Promise<number> {
    const { limits } = this.settings;
    // One line per frame: a sign of progress, and a writer that fails, and so ends, when this process is gone.
    const sink = ['-frames:v', String(limits.maxFrames + 1), '-f', 'framecrc', 'pipe:1'];
    const child = this.#run(this.ffmpegPath, this.#decodeArguments(file, sink), signal, limitMs);
    try {
      let frameCount = 0;
      const lines = createInterface({ input: child.output, crlfDelay: Infinity });
      lines.on('line', (line) => {
        if (!line.startsWith('#')) frameCount++;
        child.progressed();
      });
      const finished = new Promise<void>((resolve) => lines.once('close', resolve));
      await child.watch(finished);
      this.#assertIntact(await child.watch(child.exit), child);
      if (frameCount === 0) throw noPictures();
      if (frameCount > limits.maxFrames) throw tooManyFrames(limits);
      return frameCount;
    } finally {
      await child.end();
    }
  }

  /** An edit list hides frames of the index; without one, a packet that cannot be read is missing from the file. */
  async #assertIndexIsServed(file: OpenedFile, indexedFrames: number, signal: AbortSignal): Promise<void> {
    if (file.container.demuxer !== 'mov') return;
    const select = ['-select_streams', String(file.stream.index), '-show_streams', '-count_packets'];
    const facts = await this.#ask([...select, '-ignore_editlist', '1', ...file.input], signal);
    if (Number(facts.streams[0]?.nb_read_packets ?? 0) < indexedFrames) throw incompleteVideo();
  }

  #decodeArguments({ input, stream, orientation }: OpenedFile, sink: string[]): string[] {
    const { width, height } = stream;
    const { limits } = this.settings;
    // ffmpeg would scale a picture of another size in silence; a crop to an impossible width makes it stop instead.
    const sameSize = `if(eq(iw\\,${width})*eq(ih\\,${height})\\,${width}\\,-1)`;
    const filters = [
      ...['scale=flags=accurate_rnd:out_range=pc', 'format=gray', `crop=w=${sameSize}:h=${height}:exact=1`],
      ...turningFilters(orientation),
    ];
    return [
      ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-xerror'],
      ...['-threads', String(DECODER_THREADS), '-max_pixels', String(maxPixels(limits))],
      // Pictures before the first one that can be decoded whole are left out rather than shown damaged.
      ...['-flags', '-output_corrupt', '-noautorotate'],
      ...input,
      ...['-map', `0:${stream.index}`, '-vf', filters.join(','), '-fps_mode', 'passthrough', '-threads', '1'],
      ...sink,
    ];
  }

  async #ask(parameters: string[], signal: AbortSignal): Promise<ProbeOutput> {
    const child = this.#run(this.#ffprobePath, ['-loglevel', 'error', '-of', 'json', ...parameters], signal);
    try {
      const output = await child.watch(readText(child));
      this.#assertIntact(await child.watch(child.exit), child);
      return probeOutputSchema.parse(JSON.parse(output));
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof z.ZodError) {
        throw new DecoderFailedError('ffprobe gave an answer that cannot be read', { cause: error });
      }
      throw error;
    } finally {
      await child.end();
    }
  }

  #run(binary: string, parameters: string[], signal: AbortSignal, totalTimeoutMs?: number): FfmpegChild {
    const process = spawn(binary, parameters, {
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: false,
      env: childEnvironment(),
    });
    const { logger, frameTimeoutMs } = this.settings;
    const child = new FfmpegChild(process, { logger, stallTimeoutMs: frameTimeoutMs });
    child.obey(signal, totalTimeoutMs);
    return child;
  }

  #assertIntact(exit: ChildExit, child: FfmpegChild): void {
    if (exit.code === 0) return;
    const { errorOutput } = child;
    if (errorOutput.includes('Invalid too big or non positive size')) throw changingSize();
    // From 126 on it is the shell's or the loader's word: the program did not even start.
    const isOurFault = exit.code === null || exit.code >= 126 || OUR_FAULT.test(errorOutput);
    if (!isOurFault) throw damagedVideo();
    this.settings.logger.warn('ffmpeg failed', { exit, errorOutput });
    throw new DecoderFailedError('The video decoder ended unexpectedly');
  }
}

class FfmpegChild extends SupervisedChild {
  readonly output;
  constructor(process: ChildProcess, options: ConstructorParameters<typeof SupervisedChild>[1]) {
    super(process, options);
    this.output = pipeOf(process, 1);
  }
}

interface OpenedFile {
  container: Container;
  input: string[];
  stream: StreamFacts;
  orientation: Orientation;
  durationSeconds: number | null;
}

/** One local file and one demuxer: nothing inside the file can make FFmpeg open anything else. */
function inputArguments({ demuxer }: Container, path: string): string[] {
  return ['-protocol_whitelist', 'file', '-format_whitelist', demuxer, '-f', demuxer, '-i', `file:${path}`];
}

async function readText(child: FfmpegChild): Promise<string> {
  let text = '';
  for await (const chunk of child.output) {
    text += String(chunk);
    if (text.length > MAX_PROBE_OUTPUT) throw damagedVideo();
  }
  return text;
}

const MAX_PROBE_OUTPUT = 4 * 1024 * 1024;

const probeOutputSchema = z.object({
  streams: z
    .array(
      z.object({
        index: z.number().int().nonnegative(),
        codec_type: z.string().optional(),
        codec_name: z.string().optional(),
        width: z.number().int().default(0),
        height: z.number().int().default(0),
        avg_frame_rate: z.string().default('0/0'),
        duration: z.string().optional(),
        nb_frames: z.string().optional(),
        nb_read_packets: z.string().optional(),
        disposition: z.record(z.string(), z.number()).default({}),
        side_data_list: z.array(z.object({ displaymatrix: z.string().optional() })).default([]),
      }),
    )
    .default([]),
  format: z.object({ duration: z.string().optional() }).optional(),
});
type ProbeOutput = z.infer<typeof probeOutputSchema>;

function factsOf(stream: ProbeOutput['streams'][number]): StreamFacts {
  const [numerator = 0, denominator = 0] = stream.avg_frame_rate.split('/').map(Number);
  const { disposition } = stream;
  return {
    index: stream.index,
    isVideo: stream.codec_type === 'video',
    codec: stream.codec_name ?? '',
    width: stream.width,
    height: stream.height,
    isAttachedPicture: disposition.attached_pic === 1 || disposition.timed_thumbnails === 1,
    frameRate: { numerator, denominator },
    durationSeconds: positive(stream.duration),
    indexedFrames: positive(stream.nb_frames),
  };
}

/** ffprobe prints the matrix as three numbered lines of three numbers. */
function orientationIn(stream: ProbeOutput['streams'][number] | undefined): Orientation {
  const printed = stream?.side_data_list.find(({ displaymatrix }) => displaymatrix)?.displaymatrix ?? '';
  const numbers = printed.replace(/^\s*\d+:/gm, '').match(/-?\d+/g) ?? [];
  return orientationOf(numbers.map(Number));
}

function turningFilters({ transpose, flipX, flipY }: Orientation): string[] {
  // What ffmpeg calls a turn with a flip is the plain transposition.
  return [...(transpose ? ['transpose=cclock_flip'] : []), ...(flipX ? ['hflip'] : []), ...(flipY ? ['vflip'] : [])];
}

/** ffprobe leaves out what it does not know, or says N/A. */
function positive(text: string | undefined): number | null {
  const value = Number(text);
  return value > 0 ? value : null;
}
