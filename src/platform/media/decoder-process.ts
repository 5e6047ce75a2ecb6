/**
 * The process that decodes: started by `NodeAvDecoder`, it serves the requests of one job or one upload, one after
 * another, and is then ended. Only this file and its folder load node-av, whose binary is GPLv3 and works on hostile
 * input: neither belongs into the process of the application.
 */
import { writeSync } from 'node:fs';
import { AV_LOG_QUIET } from 'node-av/constants';
import { Log, Packet } from 'node-av/lib';
import { offerToOutOfMemoryKiller } from '../out-of-memory.js';
import { GrayConverter } from './decoder-process/gray-converter.js';
import { OpenVideo } from './decoder-process/open-video.js';
import { PictureReader } from './decoder-process/picture-reader.js';
import { Pulse } from './decoder-process/pulse.js';
import { VideoFile } from './decoder-process/video-file.js';
import {
  END_OF_FRAMES,
  FRAME_PIPE,
  writeFrameHeader,
  type DecoderMessage,
  type DecoderRequest,
} from './decoder-process.protocol.js';
import { lastIndexOf } from './frame-range.js';
import { endsBefore, incompleteVideo, noPictures, tooManyFrames } from './media-problems.js';
import { uprightSize } from './orientation.js';
import { MediaError, type FrameRange, type VideoInfo } from './video-decoder.port.js';
import { describeVideo, type StreamFacts } from './video-stream.js';

// The parent is gone. SIGKILL, because an orderly exit would wait for FFmpeg calls that are under way.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
Log.setLevel(AV_LOG_QUIET);
await offerToOutOfMemoryKiller(500);
const grayConverter = await GrayConverter.create();
/** The video that frames were asked of last. */
let video: OpenVideo | undefined;
process.on('message', (request: DecoderRequest) => void serve(request));

async function serve(request: DecoderRequest): Promise<void> {
  let answer: DecoderMessage;
  try {
    const pulse = new Pulse(request.limits.maxMemoryBytes, report);
    if (request.range) {
      await sendFrames(request, request.range, pulse);
      answer = { type: 'sent' };
    } else {
      answer = { type: 'described', video: await describe(request, pulse) };
    }
  } catch (error) {
    answer = asMessage(error);
  }
  if (request.range) send(writeFrameHeader({ index: END_OF_FRAMES, width: 0, height: 0 }));
  await report(answer);
}

/** Decodes everything: headers lie about the number of frames, and only this finds damage. */
async function describe(request: DecoderRequest, pulse: Pulse): Promise<VideoInfo> {
  const file = await VideoFile.open(request);
  const reader = new PictureReader(file, request, 'refuse');
  let size = { width: 0, height: 0 };
  for await (const { frame } of reader.pictures(pulse)) {
    size = { width: frame.width, height: frame.height };
    if (reader.decoded > request.limits.maxFrames) throw tooManyFrames(request.limits);
  }
  if (reader.decoded === 0) throw noPictures();
  if (file.packets < (file.facts.indexedFrames ?? 0)) await assertIndexIsServed(file.facts, request);
  const decoded = { ...uprightSize(size, file.orientation), frameCount: reader.decoded };
  return describeVideo(request.container, file.facts, file.durationSeconds, decoded);
}

/** An edit list hides frames of the index; without one, a packet that cannot be read is missing from the file. */
async function assertIndexIsServed(facts: StreamFacts, request: DecoderRequest): Promise<void> {
  if (request.container.demuxer !== 'mov') return;
  const file = await VideoFile.open(request, { ignore_editlist: '1' });
  const packet = new Packet();
  packet.alloc();
  while (file.read(packet)) packet.unref();
  if (file.packets < (facts.indexedFrames ?? 0)) throw incompleteVideo();
}

async function sendFrames(request: DecoderRequest, range: FrameRange, pulse: Pulse): Promise<void> {
  const { path } = request;
  const last = lastIndexOf(range);
  if (!video?.canGive(path, range.start)) {
    video?.close();
    video = undefined;
    video = await OpenVideo.open(request, pulse);
  }
  // Pictures that damage has taken are missing: a later one is the sign that the wanted ones are over.
  while (video.position <= last) {
    const picture = await video.next();
    if (!picture) throw endsBefore(video.position, last);
    const { frame, index } = picture;
    const isWanted = index >= range.start && index <= last && (index - range.start) % range.step === 0;
    if (!isWanted) continue;
    send(writeFrameHeader({ index, ...uprightSize(frame, video.orientation) }));
    send(grayConverter.convert(frame, video.orientation));
  }
}

/** Waits while the parent does not read: no more than one picture is ever ahead of it. */
function send(bytes: Uint8Array): void {
  try {
    for (let sent = 0; sent < bytes.length;) sent += writeSync(FRAME_PIPE, bytes, sent);
  } catch {
    // Nobody is there to read, or to be told.
    process.kill(process.pid, 'SIGKILL');
  }
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
