import { Readable } from 'node:stream';
import type { ProblemCode } from '../../contract/problem.contract.js';
import { AppError } from '../../platform/app-error.js';
import { ARCHIVE_HEAD_BYTES, looksLikeArchive } from '../../platform/archive/archive-signature.js';
import {
  ArchiveError,
  ZipArchive,
  type ArchiveEntry,
  type ArchiveLimits,
  type ArchiveProblem,
} from '../../platform/archive/zip-archive.js';
import { HEAD_BYTES, isVideo, pictureName } from '../../platform/media/container-inspector.js';
import { writeFrameSequence } from '../../platform/media/frame-sequence.js';
import { readImageHeader, type ImageHeader } from '../../platform/media/image-header.js';
import type { ObjectStore, StagedObject } from '../../platform/storage/object-store.port.js';
import {
  isLitter,
  planVideos,
  type InspectedEntry,
  type MisfitImage,
  type PlannedVideo,
} from './archive-contents.domain.js';

interface Deps {
  store: ObjectStore;
  limits: ArchiveLimits;
}

const PROBLEM_OF_ARCHIVE: Record<ArchiveProblem, ProblemCode> = {
  'not-an-archive': 'unsupported-archive',
  corrupt: 'corrupt-archive',
  refused: 'archive-refused',
};

/** Each is decoded to its end before the first is paid for. */
const MAX_VIDEOS = 200;
/** Cameras put previews, profiles and notes in front of a picture's size, but not this much. */
const MAX_IMAGE_HEAD_BYTES = 1024 * 1024;

/** Finds out what videos an archive holds, and takes them out one by one. */
export class VideoArchiveService {
  constructor(private readonly deps: Deps) {}

  /**
   * Looks at every entry before anything is written to the disk.
   * @throws AppError unsupported-archive, corrupt-archive, archive-refused; the signal's reason
   */
  async open(content: StagedObject, signal: AbortSignal): Promise<OpenedArchive> {
    const { store, limits } = this.deps;
    return asAppError(async () => {
      const zip = await ZipArchive.open(content.path, limits);
      try {
        const plan = planVideos(await inspectAll(zip, signal));
        if (!Array.isArray(plan)) throw misfit(plan);
        if (plan.length === 0) throw refused('The archive holds no video and no picture.');
        if (plan.length > MAX_VIDEOS) {
          throw refused(`The archive makes ${plan.length} videos; at most ${MAX_VIDEOS} are accepted at a time.`);
        }
        return new OpenedArchive(zip, plan, store);
      } catch (error) {
        zip.close();
        throw error;
      }
    });
  }
}

export type ArchivedVideo = PlannedVideo<ArchiveEntry>;

export class OpenedArchive {
  constructor(
    private readonly zip: ZipArchive,
    readonly videos: readonly ArchivedVideo[],
    private readonly store: ObjectStore,
  ) {}

  /**
   * Streams one of its videos to staging.
   * @throws AppError corrupt-archive; StorageFullError; the signal's reason
   */
  unpack(video: ArchivedVideo, signal: AbortSignal): Promise<StagedObject> {
    // No entry gets longer than it said, and what all of them said is within the limit.
    const options = { signal, maxBytes: Number.MAX_SAFE_INTEGER };
    return asAppError(() => this.store.stage(Readable.from(this.read(video)), options));
  }

  close(): void {
    this.zip.close();
  }

  private read(video: ArchivedVideo): AsyncIterable<Buffer> {
    if (video.kind === 'video') return this.zip.content(video.entry);
    const frames = video.frames.map((entry) => ({ bytes: entry.bytes, content: () => this.zip.content(entry) }));
    return writeFrameSequence(video.header, frames);
  }
}

async function inspectAll(zip: ZipArchive, signal: AbortSignal): Promise<InspectedEntry<ArchiveEntry>[]> {
  const inspected: InspectedEntry<ArchiveEntry>[] = [];
  for (const entry of zip.entries) {
    signal.throwIfAborted();
    if (!isLitter(entry.path)) inspected.push(await inspect(zip, entry));
  }
  return inspected;
}

async function inspect(zip: ZipArchive, entry: ArchiveEntry): Promise<InspectedEntry<ArchiveEntry>> {
  const { path, bytes } = entry;
  if (bytes === 0) throw refused(`"${path}" is empty.`);
  const enough = Math.min(bytes, Math.max(HEAD_BYTES, ARCHIVE_HEAD_BYTES));
  let head = Buffer.alloc(0);
  for await (const chunk of zip.content(entry)) {
    head = Buffer.concat([head, chunk]);
    if (head.length < enough) continue;
    if (looksLikeArchive(path, head)) throw refused(`"${path}" is an archive inside the archive.`);
    if (isVideo(head)) return { entry, path, kind: 'video' };
    const header = readImageHeader(head);
    if (header === null) throw unknownContent(path, head);
    if (header !== 'more') return { entry, path, kind: 'image', header };
    if (head.length > MAX_IMAGE_HEAD_BYTES) break;
  }
  throw refused(`"${path}" is a picture that does not say how large it is.`);
}

function unknownContent(path: string, head: Buffer): ArchiveError {
  const picture = pictureName(head);
  if (picture === undefined) return refused(`"${path}" is neither a video nor a JPEG or PNG picture.`);
  if (picture === 'JPEG' || picture === 'PNG') return refused(`"${path}" is a damaged ${picture} picture.`);
  return refused(`"${path}" is a ${picture} picture; frame sequences are made of JPEG or PNG.`);
}

function misfit({ path, expected, found }: MisfitImage): ArchiveError {
  const describe = ({ format, width, height }: ImageHeader) => `${width}x${height} ${format.toUpperCase()}`;
  return refused(
    `"${path}" is ${describe(found)}, others of its folder are ${describe(expected)}: the frames of one sequence are alike.`,
  );
}

const refused = (message: string): ArchiveError => new ArchiveError('refused', message);

async function asAppError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    throw new AppError(PROBLEM_OF_ARCHIVE[error.problem], error.message, { cause: error });
  }
}
