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
  for (const current of sortNaturally(entries, (entry) => entry.path)) {
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
  return sortNaturally(videos, (video) => video.path);
}

function fits(a: ImageHeader, b: ImageHeader): boolean {
  return a.format === b.format && a.width === b.width && a.height === b.height;
}

/** What operating systems leave in archives that nobody asked them to. */
export function isLitter(path: string): boolean {
  return /^__MACOSX\/|(^|\/)(\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini)$/i.test(path);
}

/** `frame-2` before `frame-10`: numbers by their value, everything else by its characters, folder by folder. */
export function sortNaturally<Item>(items: readonly Item[], pathOf: (item: Item) => string): Item[] {
  // Each path is taken apart once: ten thousand long ones, taken apart for each comparison, held up the process for a minute.
  const keyed = items.map((item) => {
    const path = pathOf(item);
    return { item, path, key: naturalKey(path) };
  });
  return keyed.sort((a, b) => compareText(a.key, b.key) || compareText(a.path, b.path)).map(({ item }) => item);
}

const SLASH = '\u0001';
const END_OF_TEXT = '\0';

/** A text that is compared character by character as its path is to be compared part by part. */
function naturalKey(path: string): string {
  const parts = path.match(/\d+|\/|[^\d/]+/g) ?? [];
  return parts.map(keyOfPart).join('');
}

function keyOfPart(part: string): string {
  // A slash ends a name, and the shorter name comes first.
  if (part === '/') return SLASH;
  if (!/^\d/.test(part)) return `${part.toLowerCase()}${END_OF_TEXT}`;
  // The longer number is the larger one. Before other characters it stands where digits do.
  const digits = part.replace(/^0+(?=\d)/, '');
  return `0${String.fromCharCode(digits.length)}${digits}`;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
