/**
 * Tensors of the Open Inference Protocol. Raw tensors are row-major and little-endian without padding; each element of
 * BYTES is preceded by its length in four bytes.
 */

/** Bytes of an element. */
const ELEMENT_BYTES = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP32: 4,
  FP64: 8,
} as const;

/** Types whose elements are numbers; FP16 is not among them: nothing that InferNode asks for fits into it. */
export type NumericDatatype = keyof typeof ELEMENT_BYTES;
export type Datatype = NumericDatatype | 'BYTES';

const BYTES_LENGTH_BYTES = 4;

interface TensorHead {
  name: string;
  datatype: Datatype;
  shape: readonly number[];
}

/** A tensor on its way to a server. */
export interface InputTensor extends TensorHead {
  /** The raw tensor. */
  raw: Uint8Array;
}

/** A tensor that a server answered with. */
export interface OutputTensor extends TensorHead {
  /** As many as the shape asks for; the text of each for BYTES. Not checked to be finite. */
  values: readonly number[] | readonly string[];
}

/** What a server sent is no tensor; the message completes "the output …". */
export class TensorFormatError extends Error {
  override readonly name = 'TensorFormatError';
}

export function numericTensor(
  name: string,
  datatype: NumericDatatype,
  shape: readonly number[],
  values: readonly number[],
): InputTensor {
  const size = ELEMENT_BYTES[datatype];
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((value, index) => WRITE[datatype](view, index * size, value));
  return { name, datatype, shape, raw: new Uint8Array(view.buffer) };
}

export function textTensor(name: string, shape: readonly number[], texts: readonly string[]): InputTensor {
  const pieces = texts.flatMap((text) => {
    const bytes = Buffer.from(text, 'utf8');
    const length = Buffer.alloc(BYTES_LENGTH_BYTES);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return { name, datatype: 'BYTES', shape, raw: Buffer.concat(pieces) };
}

export function isNumericDatatype(datatype: string): datatype is NumericDatatype {
  return Object.hasOwn(ELEMENT_BYTES, datatype);
}

/** @throws TensorFormatError when bytes, type and shape do not belong together */
export function readRawTensor(
  head: { name: string; datatype: string; shape: readonly number[] },
  raw: Uint8Array,
): OutputTensor {
  const { name, datatype, shape } = head;
  const count = elementCount(shape);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  if (datatype === 'BYTES') return { name, datatype, shape, values: readTexts(name, view, count) };
  if (!isNumericDatatype(datatype)) throw new TensorFormatError(`"${name}" has the type ${datatype}`);
  const size = ELEMENT_BYTES[datatype];
  if (raw.byteLength !== count * size) {
    throw new TensorFormatError(`"${name}" has ${raw.byteLength} bytes where its shape asks for ${count * size}`);
  }
  const values = Array.from({ length: count }, (_, index) => READ[datatype](view, index * size));
  return { name, datatype, shape, values };
}

/**
 * @param data elements as JSON or a message gives them, nested or flat
 * @throws TensorFormatError when data, type and shape do not belong together
 */
export function readListedTensor(
  head: { name: string; datatype: string; shape: readonly number[] },
  data: readonly unknown[],
): OutputTensor {
  const { name, datatype, shape } = head;
  const elements = data.flat(Infinity);
  const count = elementCount(shape);
  if (elements.length !== count) {
    throw new TensorFormatError(`"${name}" has ${elements.length} elements where its shape asks for ${count}`);
  }
  if (datatype === 'BYTES') return { name, datatype, shape, values: elements.map((element) => textOf(name, element)) };
  if (!isNumericDatatype(datatype)) throw new TensorFormatError(`"${name}" has the type ${datatype}`);
  return { name, datatype, shape, values: elements.map((element) => numberOf(name, element)) };
}

/** The elements of a raw tensor as JSON writes a flat list of them, brackets included. */
export function toJsonList({ name, datatype, shape, raw }: InputTensor): Buffer {
  if (datatype === 'UINT8') return bytesAsJsonList(raw);
  return Buffer.from(JSON.stringify(readRawTensor({ name, datatype, shape }, raw).values), 'utf8');
}

const DIGITS = Array.from({ length: 256 }, (_, value) => Buffer.from(`${value},`, 'latin1'));
const LONGEST_DIGITS = 4;

/** Pictures are most of a request: written byte by byte, they take a tenth of the time that a list of numbers does. */
function bytesAsJsonList(raw: Uint8Array): Buffer {
  const text = Buffer.allocUnsafe(2 + raw.length * LONGEST_DIGITS);
  text[0] = 0x5b; // [
  let end = 1;
  for (const value of raw) {
    const digits = DIGITS[value];
    for (const digit of digits) text[end++] = digit;
  }
  if (raw.length > 0) end--; // the comma behind the last one
  text[end++] = 0x5d; // ]
  return text.subarray(0, end);
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

function readTexts(name: string, view: DataView, count: number): string[] {
  const texts: string[] = [];
  let offset = 0;
  while (texts.length < count && offset + BYTES_LENGTH_BYTES <= view.byteLength) {
    const length = view.getUint32(offset, true);
    offset += BYTES_LENGTH_BYTES;
    if (offset + length > view.byteLength) break;
    texts.push(Buffer.from(view.buffer, view.byteOffset + offset, length).toString('utf8'));
    offset += length;
  }
  if (texts.length === count && offset === view.byteLength) return texts;
  throw new TensorFormatError(`"${name}" is no list of ${count} texts`);
}

function textOf(name: string, element: unknown): string {
  if (typeof element === 'string') return element;
  if (element instanceof Uint8Array) return Buffer.from(element).toString('utf8');
  throw new TensorFormatError(`"${name}" has an element that is no text`);
}

/** JSON has no NaN: a server that writes `null` for it means one. */
function numberOf(name: string, element: unknown): number {
  if (typeof element === 'number') return element;
  if (typeof element === 'boolean') return Number(element);
  if (element === null) return NaN;
  throw new TensorFormatError(`"${name}" has an element that is no number`);
}

const WRITE: Readonly<Record<NumericDatatype, (view: DataView, offset: number, value: number) => void>> = {
  BOOL: (view, offset, value) => view.setUint8(offset, value === 0 ? 0 : 1),
  UINT8: (view, offset, value) => view.setUint8(offset, value),
  UINT16: (view, offset, value) => view.setUint16(offset, value, true),
  UINT32: (view, offset, value) => view.setUint32(offset, value, true),
  UINT64: (view, offset, value) => view.setBigUint64(offset, BigInt(value), true),
  INT8: (view, offset, value) => view.setInt8(offset, value),
  INT16: (view, offset, value) => view.setInt16(offset, value, true),
  INT32: (view, offset, value) => view.setInt32(offset, value, true),
  INT64: (view, offset, value) => view.setBigInt64(offset, BigInt(value), true),
  FP32: (view, offset, value) => view.setFloat32(offset, value, true),
  FP64: (view, offset, value) => view.setFloat64(offset, value, true),
};

const READ: Readonly<Record<NumericDatatype, (view: DataView, offset: number) => number>> = {
  BOOL: (view, offset) => view.getUint8(offset),
  UINT8: (view, offset) => view.getUint8(offset),
  UINT16: (view, offset) => view.getUint16(offset, true),
  UINT32: (view, offset) => view.getUint32(offset, true),
  UINT64: (view, offset) => Number(view.getBigUint64(offset, true)),
  INT8: (view, offset) => view.getInt8(offset),
  INT16: (view, offset) => view.getInt16(offset, true),
  INT32: (view, offset) => view.getInt32(offset, true),
  INT64: (view, offset) => Number(view.getBigInt64(offset, true)),
  FP32: (view, offset) => view.getFloat32(offset, true),
  FP64: (view, offset) => view.getFloat64(offset, true),
};
