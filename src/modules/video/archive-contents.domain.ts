import type { ImageHeader } from '../../platform/media/image-header.js';

/** What an entry of an archive turned out to be. */
export type InspectedEntry<Entry> =
  { entry: Entry; path: string; kind: 'video' } | { entry: Entry; path: string; kind: 'image'; header: ImageHeader };

/** One video to be: a file of the archive, or the pictures of one of its folders. */
export type PlannedVideo<Entry> =
  | { path: string; kind: 'video'; entry: Entry }
  | { path: string; kind: 'sequence'; header: ImageHeader; frames: Entry[] };

/** Pictures of one folder that do not fit together. */
export interface MisfitImage {
  path: string;
  expected: ImageHeader;
  found: ImageHeader;
}

/**
 * Every video by itself, the pictures of each folder together, all in the natural order of their paths.
 * @returns a picture that does not fit in with the first of its folder, if there is one
 */
export function planVideos<Entry>(entries: readonly InspectedEntry<Entry>[]): PlannedVideo<Entry>[] | MisfitImage {
  const videos: PlannedVideo<Entry>[] = [];
  const folders = new Map<string, Extract<PlannedVideo<Entry>, { kind: 'sequence' }>>();
  for (const current of [...entries].sort((a, b) => compareNaturally(a.path, b.path))) {
    const { path, entry } = current;
    if (current.kind === 'video') {
      videos.push({ path, kind: 'video', entry });
      continue;
    }
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    const sequence = folders.get(folder);
    if (sequence === undefined) {
      const first = { path: folder, kind: 'sequence' as const, header: current.header, frames: [entry] };
      folders.set(folder, first);
      videos.push(first);
    } else if (fits(sequence.header, current.header)) sequence.frames.push(entry);
    else return { path, expected: sequence.header, found: current.header };
  }
  return videos.sort((a, b) => compareNaturally(a.path, b.path));
}

function fits(a: ImageHeader, b: ImageHeader): boolean {
  return a.format === b.format && a.width === b.width && a.height === b.height;
}

/** What operating systems leave in archives that nobody asked them to. */
export function isLitter(path: string): boolean {
  return /^__MACOSX\/|(^|\/)(\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini)$/i.test(path);
}

/** `frame-2` before `frame-10`: numbers by their value, everything else by its characters, folder by folder. */
export function compareNaturally(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const order = compareParts(left[index], right[index]);
    if (order !== 0) return order;
  }
  return left.length - right.length || compareText(a, b);
}

/** Runs of digits, slashes, and what lies between them. */
const partsOf = (text: string): string[] => text.match(/\d+|\/|[^\d/]+/g) ?? [];

function compareParts(a: string, b: string): number {
  // A slash ends a name, and the shorter name comes first.
  if (a === '/' || b === '/') return Number(b === '/') - Number(a === '/');
  if (!isNumber(a) || !isNumber(b)) return compareText(a.toLowerCase(), b.toLowerCase());
  const [left, right] = [a.replace(/^0+(?=\d)/, ''), b.replace(/^0+(?=\d)/, '')];
  return left.length - right.length || compareText(left, right);
}

const isNumber = (part: string): boolean => /^\d/.test(part);

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
