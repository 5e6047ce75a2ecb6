import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import yauzl, { type Entry, type LocalFileHeader, type ZipFile } from 'yauzl';
import { crc32 } from '../crc32.js';

/** What an archive may cost. Declared sizes are checked before anything is unpacked, real ones while it is. */
export interface ArchiveLimits {
  maxEntries: number;
  /** Of everything unpacked. */
  maxTotalBytes: number;
}

export interface ArchiveEntry {
  /** Of a file, with `/` between its parts: for people and for sorting, never a path on any disk. */
  readonly path: string;
  /** Unpacked; content of any other length is an error. */
  readonly bytes: number;
}

export const ARCHIVE_PROBLEMS = ['not-an-archive', 'corrupt', 'refused'] as const;
export type ArchiveProblem = (typeof ARCHIVE_PROBLEMS)[number];

/** The archive's fault: the same archive fails the same way each time. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  constructor(
    readonly problem: ArchiveProblem,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** More than this times its packed size is no picture and no video. Small files may be anything. */
const MAX_RATIO = 100;
const RATIO_FREE_BYTES = 1024 * 1024;
const MAX_PATH_LENGTH = 1024;
/** Name, extra fields and comment of one entry together. Archivers write some dozens of bytes beside the name. */
const MAX_RECORD_BYTES = 4096;

/**
 * A ZIP file whose table of contents has been checked as a whole: nothing in it is encrypted, linked, named twice, named
 * outside the archive, stored in the bytes of another entry, or larger than the limits. Entries are read as streams.
 */
export class ZipArchive {
  private constructor(
    private readonly zip: ZipFile,
    /** In the order of the archive, folders left out. */
    readonly entries: readonly ArchiveEntry[],
    private readonly records: ReadonlyMap<ArchiveEntry, ZipRecord>,
  ) {}

  /** @throws ArchiveError, the file system's error */
  static async open(path: string, limits: ArchiveLimits): Promise<ZipArchive> {
    await assertSignature(path);
    const zip = await openZip(path);
    try {
      if (zip.entryCount > limits.maxEntries) throw tooManyEntries(limits);
      // Before the first entry is read, the cursor stands where the table of contents begins; its type is declared wrong.
      const directoryStart = Number(zip.readEntryCursor);
      const records = assertDisjoint(await readContents(zip, path, directoryStart, limits), directoryStart);
      const files = records.filter(({ isFolder }) => !isFolder);
      const entries = new Map(files.map((record) => [{ path: record.path, bytes: record.bytes }, record] as const));
      return new ZipArchive(zip, [...entries.keys()], entries);
    } catch (error) {
      zip.close();
      throw error;
    }
  }

  /**
   * The entry's content, checked against its length and checksum: an error at the end takes back all that came before.
   * @throws ArchiveError while reading
   */
  async *content(entry: ArchiveEntry): AsyncGenerator<Buffer> {
    const record = this.records.get(entry);
    if (record === undefined) throw new TypeError('The entry is of another archive');
    const stream = await this.openStream(record);
    let checksum = 0;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        checksum = crc32(chunk, checksum);
        yield chunk;
      }
    } catch (error) {
      throw damagedBy(error, `"${record.path}" cannot be unpacked: its data is damaged.`);
    } finally {
      stream.destroy();
    }
    if (checksum !== record.entry.crc32) {
      throw new ArchiveError('corrupt', `"${record.path}" is damaged: its checksum is wrong.`);
    }
  }

  close(): void {
    this.zip.close();
  }

  private async openStream({ entry, path, end }: ZipRecord) {
    const { zip } = this;
    const readHeader = promisify<Entry, LocalFileHeader>((of, done) => zip.readLocalFileHeader(of, done));
    const header = await readHeader(entry).catch((error: unknown) => {
      throw damagedBy(error, `"${path}" is damaged: its header cannot be read.`);
    });
    const start = header.fileDataStart;
    // The header in front of the data says it all again. One that says something else was made to be read two ways.
    const isSame =
      header.fileName.equals(entry.fileNameRaw) &&
      header.compressionMethod === entry.compressionMethod &&
      ((header.generalPurposeBitFlag ^ entry.generalPurposeBitFlag) & ENCRYPTED) === 0;
    if (!isSame) throw new ArchiveError('corrupt', `"${path}" is described in two different ways.`);
    if (start + entry.compressedSize > end) throw overlapping(path);
    return promisify<Awaited<ReturnType<ZipFile['openReadStreamPromise']>>>((done) => {
      const isDeflated = entry.compressionMethod === DEFLATED;
      const { compressedSize, uncompressedSize } = entry;
      zip.openReadStreamLowLevel(start, compressedSize, 0, compressedSize, isDeflated, uncompressedSize, done);
    })();
  }
}

interface ZipRecord extends ArchiveEntry {
  entry: Entry;
  isFolder: boolean;
  /** Where the next entry, or the table of contents, begins. */
  end: number;
}

/** What every ZIP begins with: an entry, or the end of an empty one. Anything in front would be a second reading. */
async function assertSignature(path: string): Promise<void> {
  const head = await readAt(path, 0, 4);
  if (head.equals(END_RECORD)) throw emptyArchive();
  if (!head.equals(LOCAL_HEADER)) throw new ArchiveError('not-an-archive', 'The file is not a ZIP archive.');
}

const LOCAL_HEADER = Buffer.from('PK\x03\x04', 'latin1');
const END_RECORD = Buffer.from('PK\x05\x06', 'latin1');
const ZIP64_END_RECORD = Buffer.from('PK\x06\x06', 'latin1');

async function openZip(path: string): Promise<ZipFile> {
  try {
    // Names are decoded here, where one that is refused gets a reason that can be told.
    const zip = await yauzl.openPromise(path, { autoClose: false, decodeStrings: false });
    // What goes wrong is told by the call that it goes wrong in; without a listener, closing could end the process.
    zip.on('error', () => undefined);
    return zip;
  } catch (error) {
    throw damagedBy(error, 'The archive is damaged or cut off: it has no table of contents.');
  }
}

async function readContents(
  zip: ZipFile,
  path: string,
  directoryStart: number,
  limits: ArchiveLimits,
): Promise<ZipRecord[]> {
  const records: ZipRecord[] = [];
  const seen = new Set<string>();
  let total = 0;
  let cursor = directoryStart;
  try {
    for await (const entry of zip.eachEntry()) {
      cursor += 46 + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
      const record = toRecord(entry);
      if (seen.has(record.path)) throw refused(`"${record.path}" is in the archive twice.`);
      seen.add(record.path);
      total += record.bytes;
      if (total > limits.maxTotalBytes) {
        throw refused(`Unpacked, the archive has more than the ${limits.maxTotalBytes} bytes that are accepted.`);
      }
      records.push(record);
    }
  } catch (error) {
    throw damagedBy(error, 'The archive is damaged: its table of contents cannot be read.');
  }
  if (records.length === 0) throw emptyArchive();
  // The number of entries is stated apart from the entries, and only so many were read.
  const next = await readAt(path, cursor, 4);
  if (!next.equals(END_RECORD) && !next.equals(ZIP64_END_RECORD)) {
    throw new ArchiveError('corrupt', 'The archive is damaged: it holds more than its table of contents says.');
  }
  return records;
}

const ENCRYPTED = 0x1;
const STRONGLY_ENCRYPTED = 0x2041;
const STORED = 0;
const DEFLATED = 8;

function toRecord(entry: Entry): ZipRecord {
  assertSlim(entry);
  const path = pathOf(entry);
  const isFolder = path.endsWith('/');
  assertPlainFile(entry, path, isFolder);
  const { generalPurposeBitFlag: flags, compressionMethod: method, compressedSize, uncompressedSize } = entry;
  if ((flags & (ENCRYPTED | STRONGLY_ENCRYPTED)) !== 0) throw refused(`"${path}" is encrypted.`);
  if (method !== STORED && method !== DEFLATED) {
    throw refused(`"${path}" is compressed by method ${method}; only deflate is accepted.`);
  }
  if (isFolder && uncompressedSize > 0) throw refused(`The folder "${path}" has content.`);
  if (uncompressedSize > RATIO_FREE_BYTES && uncompressedSize > compressedSize * MAX_RATIO) {
    throw refused(`"${path}" would unpack to more than ${MAX_RATIO} times its size.`);
  }
  // Taken apart by now, they take up many times the room that they have in the file.
  entry.extraFields = [];
  return { entry, path, isFolder, bytes: uncompressedSize, end: Number.POSITIVE_INFINITY };
}

/** All entries are kept in memory: each could hold three times 64 KB in it, as thousands of objects. */
function assertSlim({ fileNameLength, extraFieldLength, fileCommentLength }: Entry): void {
  if (fileNameLength + extraFieldLength + fileCommentLength <= MAX_RECORD_BYTES) return;
  throw refused('The archive says too much about one of its entries: a name, a comment or extra fields are too long.');
}

/** Characters that nobody sees, or that change what is seen; also what stands for bytes that are no text. */
const INVISIBLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd\ufeff]/u;

function pathOf(entry: Entry): string {
  const { generalPurposeBitFlag, fileNameRaw, extraFields } = entry;
  const path = yauzl.getFileNameLowLevel(generalPurposeBitFlag, fileNameRaw, extraFields, false).normalize('NFC');
  if (path.length > MAX_PATH_LENGTH) throw refused('The archive holds a name that is too long.');
  if (path === '' || INVISIBLE.test(path)) throw refused('The archive holds a name with control characters.');
  const isOutside = yauzl.validateFileName(path) !== null;
  if (isOutside) throw refused(`"${path}" points outside the archive.`);
  return path;
}

const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

/** Unix keeps the type of a file in the upper half of its attributes: links, devices and pipes have one of their own. */
function assertPlainFile({ externalFileAttributes }: Entry, path: string, isFolder: boolean): void {
  const type = (externalFileAttributes >>> 16) & FILE_TYPE;
  if (type === 0 || type === (isFolder ? FOLDER : REGULAR)) return;
  throw refused(`"${path}" is a link or another special file.`);
}

/**
 * Entries that share bytes unpack to far more than the archive could hold. Sets where each one ends.
 * @param end where the table of contents begins
 */
function assertDisjoint(records: ZipRecord[], end: number): ZipRecord[] {
  const byOffset = [...records].sort((a, b) => startOf(a) - startOf(b));
  byOffset.forEach((record, index) => {
    const next = byOffset.at(index + 1);
    record.end = next === undefined ? end : startOf(next);
    const { compressedSize, fileNameLength } = record.entry;
    if (startOf(record) + 30 + fileNameLength + compressedSize > record.end) throw overlapping(record.path);
  });
  return records;
}

const startOf = ({ entry }: ZipRecord): number => entry.relativeOffsetOfLocalHeader;

async function readAt(path: string, position: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await file.read(bytes, 0, length, position);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const refused = (message: string): ArchiveError => new ArchiveError('refused', message);
const emptyArchive = (): ArchiveError => refused('The archive is empty.');
const tooManyEntries = ({ maxEntries }: ArchiveLimits): ArchiveError =>
  refused(`The archive has more than the ${maxEntries} entries that are accepted.`);
const overlapping = (path: string): ArchiveError => refused(`"${path}" overlaps with another part of the archive.`);

/** What yauzl and zlib say of an archive is the archive's fault; what the file system says is not. */
function damagedBy(error: unknown, message: string): unknown {
  if (error instanceof ArchiveError) return error;
  const isSystemError = error instanceof Error && 'syscall' in error;
  return isSystemError ? error : new ArchiveError('corrupt', message, { cause: error });
}
