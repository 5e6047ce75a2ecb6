/** Repeatable random numbers: a 32-bit generator (mulberry32, Tommy Ettinger), the same on every machine. */
export class Dice {
  private state: number;

  constructor(...seeds: number[]) {
    this.state = seeds.reduce((state, seed) => Math.imul(state ^ seed, 0x9e37_79b1) >>> 0, 0x2545_f491);
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b_79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)];
  }
}

export interface Seed {
  name: string;
  bytes: Buffer;
}

export interface Mutant {
  /** What was done to which file, for whoever looks into a finding. */
  description: string;
  bytes: Buffer;
}

/** One to three mutations of one of the files. The same dice give the same mutant. */
export function mutate(seeds: readonly Seed[], dice: Dice): Mutant {
  const seed = dice.pick(seeds);
  let bytes: Buffer = Buffer.from(seed.bytes);
  const applied: string[] = [];
  for (let round = 1 + dice.below(3); round > 0 && bytes.length > 16; round--) {
    const [name, apply] = dice.pick(MUTATIONS);
    bytes = apply(bytes, dice, seeds);
    applied.push(name);
  }
  return { description: `${seed.name}: ${applied.join(', ')}`, bytes };
}

type Mutation = (bytes: Buffer, dice: Dice, seeds: readonly Seed[]) => Buffer;

const MUTATIONS: readonly (readonly [string, Mutation])[] = [
  ['bits flipped', flipBits],
  ['bits flipped in the head', (bytes, dice) => flipBitsWithin(bytes, dice, Math.min(bytes.length, 600))],
  ['cut off', (bytes, dice) => bytes.subarray(0, 1 + dice.below(bytes.length))],
  ['chunk doubled', doubleChunk],
  ['chunk removed', removeChunk],
  ['chunks swapped', swapChunks],
  ['spliced with another file', splice],
  ['run of one byte', (bytes, dice) => fillRun(bytes, dice, dice.pick([0, 0xff, 0xa5]))],
  ['telling number', writeTellingNumber],
  ['length of a structure', changeStructureLength],
  ['content of a structure', changeStructureContent],
  ['structure removed or doubled', dropOrRepeatStructure],
  ['transport packets lost or swapped', shufflePackets],
];

function flipBits(bytes: Buffer, dice: Dice): Buffer {
  return flipBitsWithin(bytes, dice, bytes.length);
}

function flipBitsWithin(bytes: Buffer, dice: Dice, length: number): Buffer {
  for (let flips = 1 + dice.below(40); flips > 0; flips--) bytes[dice.below(length)] ^= 1 << dice.below(8);
  return bytes;
}

/** Start and end of a part of at most a fifth of the file. */
function chunkOf(bytes: Buffer, dice: Dice): [number, number] {
  const start = dice.below(bytes.length);
  return [start, Math.min(bytes.length, start + 1 + dice.below(Math.ceil(bytes.length / 5)))];
}

function doubleChunk(bytes: Buffer, dice: Dice): Buffer {
  const [start, end] = chunkOf(bytes, dice);
  return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
}

function removeChunk(bytes: Buffer, dice: Dice): Buffer {
  const [start, end] = chunkOf(bytes, dice);
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
}

function swapChunks(bytes: Buffer, dice: Dice): Buffer {
  const length = 1 + dice.below(Math.floor(bytes.length / 4));
  const first = dice.below(bytes.length - length);
  const second = dice.below(bytes.length - length);
  const saved = Buffer.from(bytes.subarray(first, first + length));
  bytes.copy(bytes, first, second, second + length);
  saved.copy(bytes, second);
  return bytes;
}

function splice(bytes: Buffer, dice: Dice, seeds: readonly Seed[]): Buffer {
  const other = dice.pick(seeds).bytes;
  return Buffer.concat([bytes.subarray(0, dice.below(bytes.length)), other.subarray(dice.below(other.length))]);
}

function fillRun(bytes: Buffer, dice: Dice, value: number): Buffer {
  const [start, end] = chunkOf(bytes, dice);
  return bytes.fill(value, start, Math.min(end, start + 2000));
}

/** Numbers at which arithmetic goes wrong. */
const TELLING_NUMBERS = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

function writeTellingNumber(bytes: Buffer, dice: Dice): Buffer {
  const at = dice.below(bytes.length - 8);
  const value = dice.pick(TELLING_NUMBERS);
  if (dice.below(2) === 0) bytes.writeUInt32BE(value, at);
  else bytes.writeUInt32LE(value, at);
  return bytes;
}

/** Names of boxes (ISO/IEC 14496-12), chunks (RIFF) and identifiers (Matroska) whose places make good targets. */
const BOXES = ['ftyp', 'moov', 'mvhd', 'trak', 'tkhd', 'edts', 'elst', 'mdhd', 'hdlr', 'stbl', 'stsd', 'avc1', 'avcC'];
const TABLES = ['stts', 'stss', 'ctts', 'stsc', 'stsz', 'stco', 'moof', 'traf', 'trun', 'mdat', 'hvc1', 'hvcC', 'free'];
const CHUNKS = ['RIFF', 'LIST', 'avih', 'strl', 'strh', 'strf', 'movi', '00dc', 'idx1'];
const ELEMENTS = [
  '18538067',
  '1549a966',
  '1654ae6b',
  'ae',
  'e0',
  'b0',
  'ba',
  '63a2',
  '1f43b675',
  'a3',
  'a0',
  'e7',
  '1c53bb6b',
];

interface Structure {
  /** Of its name. */
  at: number;
  /** Of its length, with the number of bytes that hold it. */
  lengthAt: number;
  lengthBytes: 1 | 4;
  /** Of its content. */
  contentAt: number;
  /** Of the whole, as far as one can tell. */
  start: number;
  end: number;
}

function findStructure(bytes: Buffer, dice: Dice): Structure | undefined {
  const isMovie = bytes.subarray(0, 4096).includes('ftyp') || bytes.includes('moov');
  if (isMovie) return findNamed(bytes, dice, Buffer.from(dice.pick([...BOXES, ...TABLES])), boxAt);
  if (bytes.subarray(0, 4).equals(Buffer.from('RIFF')))
    return findNamed(bytes, dice, Buffer.from(dice.pick(CHUNKS)), chunkAt);
  return findNamed(bytes, dice, Buffer.from(dice.pick(ELEMENTS), 'hex'), elementAt);
}

function findNamed(
  bytes: Buffer,
  dice: Dice,
  name: Buffer,
  describe: (bytes: Buffer, at: number, name: Buffer) => Structure,
): Structure | undefined {
  const places: number[] = [];
  for (let at = bytes.indexOf(name); at !== -1 && places.length < 50; at = bytes.indexOf(name, at + 1)) places.push(at);
  const fitting = places.filter((at) => at >= 4 && at + 12 < bytes.length);
  return fitting.length === 0 ? undefined : describe(bytes, dice.pick(fitting), name);
}

function boxAt(bytes: Buffer, at: number): Structure {
  const end = Math.min(bytes.length, at - 4 + Math.max(8, bytes.readUInt32BE(at - 4)));
  return { at, lengthAt: at - 4, lengthBytes: 4, contentAt: at + 4, start: at - 4, end };
}

function chunkAt(bytes: Buffer, at: number): Structure {
  const end = Math.min(bytes.length, at + 8 + bytes.readUInt32LE(at + 4));
  return { at, lengthAt: at + 4, lengthBytes: 4, contentAt: at + 8, start: at, end };
}

function elementAt(bytes: Buffer, at: number, name: Buffer): Structure {
  const lengthAt = at + name.length;
  const end = Math.min(bytes.length, lengthAt + 1 + (bytes[lengthAt] & 0x7f));
  return { at, lengthAt, lengthBytes: 1, contentAt: lengthAt + 1, start: at, end };
}

function changeStructureLength(bytes: Buffer, dice: Dice): Buffer {
  const structure = findStructure(bytes, dice);
  if (!structure) return writeTellingNumber(bytes, dice);
  const { lengthAt, lengthBytes } = structure;
  if (lengthBytes === 1) bytes[lengthAt] = dice.pick([0, 0x80, 0x81, 0xff, 0x40, 0x01, dice.below(256)]);
  else
    bytes.writeInt32BE(
      dice.pick([...TELLING_NUMBERS, bytes.readUInt32BE(lengthAt) + dice.below(17) - 8]) | 0,
      lengthAt,
    );
  return bytes;
}

function changeStructureContent(bytes: Buffer, dice: Dice): Buffer {
  const structure = findStructure(bytes, dice);
  if (!structure) return flipBits(bytes, dice);
  const { contentAt, end } = structure;
  for (let writes = 1 + dice.below(4); writes > 0; writes--) {
    const at = contentAt + dice.below(Math.max(1, Math.min(end - contentAt, 400)));
    if (at + 4 <= bytes.length) bytes.writeInt32BE(dice.pick([...TELLING_NUMBERS, dice.below(2 ** 32)]) | 0, at);
  }
  return bytes;
}

function dropOrRepeatStructure(bytes: Buffer, dice: Dice): Buffer {
  const structure = findStructure(bytes, dice);
  if (!structure) return removeChunk(bytes, dice);
  const { start, end } = structure;
  const rest = bytes.subarray(dice.below(2) === 0 ? end : start);
  return Buffer.concat([bytes.subarray(0, dice.below(2) === 0 ? end : start), rest]);
}

const PACKET_BYTES = 188;

function shufflePackets(bytes: Buffer, dice: Dice): Buffer {
  if (bytes[0] !== 0x47) return swapChunks(bytes, dice);
  const packets = Array.from({ length: Math.ceil(bytes.length / PACKET_BYTES) }, (_, index) =>
    bytes.subarray(index * PACKET_BYTES, (index + 1) * PACKET_BYTES),
  );
  const at = dice.below(packets.length);
  const taken = packets.splice(at, 1 + dice.below(5));
  if (dice.below(2) === 0) packets.splice(dice.below(packets.length), 0, ...taken);
  return Buffer.concat(packets);
}
