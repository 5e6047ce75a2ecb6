import { littleEndianFloats } from './safetensors.js';
import { TENSOR_SHAPES, WeightsError, type Tensor } from './weights.js';

/** Field numbers of onnx.proto (ModelProto, GraphProto, TensorProto), and the one data type that counts here. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_DIMS = 1;
const TENSOR_DATA_TYPE = 2;
const TENSOR_FLOAT_DATA = 4;
const TENSOR_NAME = 8;
const TENSOR_RAW_DATA = 9;
const TENSOR_DATA_LOCATION = 14;
const DATA_TYPE_FLOAT = 1;
const DATA_LOCATION_DEFAULT = 0;

/**
 * Reads the initializers of an ONNX model that bear names of the network's tensors; the graph itself is not looked at.
 *
 * @throws WeightsError when the file is no ONNX model, or such an initializer is no float32 tensor in the file itself
 */
export function readOnnxInitializers(file: Uint8Array): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const graph of fields(file, MODEL_GRAPH)) {
    for (const initializer of fields(asBytes(graph), GRAPH_INITIALIZER)) {
      const bytes = asBytes(initializer);
      const name = fields(bytes, TENSOR_NAME).map((value) => Buffer.from(asBytes(value)).toString('utf8'))[0] ?? '';
      if (!TENSOR_SHAPES.has(name)) continue;
      if (tensors.has(name)) throw new WeightsError(`the tensor "${name}" is there twice`);
      tensors.set(name, readTensor(name, bytes));
    }
  }
  return tensors;
}

function readTensor(name: string, bytes: Uint8Array): Tensor {
  const dataType = fields(bytes, TENSOR_DATA_TYPE)[0];
  if (dataType !== DATA_TYPE_FLOAT) throw new WeightsError(`the tensor "${name}" does not consist of float32`);
  if ((fields(bytes, TENSOR_DATA_LOCATION)[0] ?? DATA_LOCATION_DEFAULT) !== DATA_LOCATION_DEFAULT) {
    throw new WeightsError(`the values of the tensor "${name}" lie in another file`);
  }
  const shape = fields(bytes, TENSOR_DIMS).flatMap((value) => (typeof value === 'number' ? [value] : varints(value)));
  const data = [...fields(bytes, TENSOR_RAW_DATA), ...fields(bytes, TENSOR_FLOAT_DATA)].map(asBytes);
  const [only] = data;
  const expected = 4 * shape.reduce((product, size) => product * size, 1);
  if (only === undefined || data.length > 1 || only.length !== expected) {
    throw new WeightsError(`the tensor "${name}" has not as many values as its shape says`);
  }
  return { shape, values: littleEndianFloats(only) };
}

/** A field of a protobuf message: a number, or bytes (a string, a message, packed numbers). */
type FieldValue = number | Uint8Array;

/** The values of one field of a protobuf message (encoding: protobuf.dev/programming-guides/encoding), in order. */
function fields(message: Uint8Array, wanted: number): FieldValue[] {
  const found: FieldValue[] = [];
  const cursor = { bytes: message, at: 0 };
  while (cursor.at < message.length) {
    const key = readVarint(cursor);
    const value = readValue(cursor, key % 8);
    if (Math.floor(key / 8) === wanted) found.push(value);
  }
  return found;
}

interface Cursor {
  bytes: Uint8Array;
  at: number;
}

function readValue(cursor: Cursor, wireType: number): FieldValue {
  switch (wireType) {
    case 0:
      return readVarint(cursor);
    case 1:
      return take(cursor, 8);
    case 2:
      return take(cursor, readVarint(cursor));
    case 5:
      return take(cursor, 4);
    default:
      throw notOnnx();
  }
}

/** Numbers beyond 2^53 lose digits; none of those that are used is so large. */
function readVarint(cursor: Cursor): number {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = cursor.bytes[cursor.at++];
    if (byte === undefined) throw notOnnx();
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
  throw notOnnx();
}

function varints(bytes: Uint8Array): number[] {
  const cursor = { bytes, at: 0 };
  const values: number[] = [];
  while (cursor.at < bytes.length) values.push(readVarint(cursor));
  return values;
}

function take(cursor: Cursor, length: number): Uint8Array {
  const begin = cursor.at;
  cursor.at += length;
  if (cursor.at > cursor.bytes.length) throw notOnnx();
  return cursor.bytes.subarray(begin, cursor.at);
}

function asBytes(value: FieldValue): Uint8Array {
  if (typeof value === 'number') throw notOnnx();
  return value;
}

function notOnnx(): WeightsError {
  return new WeightsError('it is no ONNX model');
}
