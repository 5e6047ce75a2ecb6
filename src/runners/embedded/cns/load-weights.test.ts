import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { safetensorsOf, syntheticTensors } from '../../../../tests/support/cns-weights.js';
import { loadCnsWeights, WeightsFileError } from './load-weights.js';
import type { CnsWeights, Tensor } from './weights.js';

const NAME = 'encoder.in_enc.fcs.0.weight';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cns-weights-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('weights of the CNS network', () => {
  it('are read from safetensors, bit by bit, with the digest of the file', async () => {
    const tensors = syntheticTensors();
    const { weights, digest } = await load('good.safetensors', safetensorsOf(tensors));
    expectSame(weights, tensors);
    expect(tensors.size).toBe(43);
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it('are read from the initializers of an ONNX model, raw or as floats', async () => {
    const tensors = syntheticTensors();
    for (const kind of ['raw', 'floats'] as const) {
      const { weights } = await load('good.onnx', onnxOf(tensors, kind));
      expectSame(weights, tensors);
    }
  });

  it.each<[string, (header: Header) => void, RegExp]>([
    ['a missing tensor', (h) => Reflect.deleteProperty(h, NAME), /gap before|"encoder.in_enc.fcs.0.weight" is missing/],
    ['a foreign tensor', (h) => (h.foreign = h[NAME]), /"foreign" is none of the CNS network/],
    ['another type', (h) => (h[NAME]!.dtype = 'F16'), /"encoder.in_enc.fcs.0.weight" is F16 instead of F32/],
    ['another shape', (h) => (h[NAME]!.shape = [2, 128]), /has the shape \[2, 128\] instead of \[128, 2\]/],
    ['another size', (h) => (h[NAME]!.shape = [128, 3]), /"encoder.in_enc.fcs.0.weight" does not lie where/],
    ['offsets beyond the end', (h) => shift(h, 1e9), /does not lie where the header says/],
    ['overlapping tensors', (h) => (h['encoder.in_enc.fcs.0.bias']!.data_offsets = [0, 512]), /overlaps another one/],
    ['a malformed entry', (h) => (h[NAME] = { shape: 'x' } as never), /entry of the tensor .* is malformed/],
  ])('with %s in safetensors are refused by name', async (_, edit, message) => {
    const file = safetensorsOf(syntheticTensors(), (header) => {
      edit(header as Header);
    });
    await expectRefusal('bad.safetensors', file, message);
  });

  it('that are not finite are refused by name', async () => {
    const tensors = syntheticTensors();
    tensors.get(NAME)!.values[3] = Number.NaN;
    await expectRefusal(
      'bad.safetensors',
      safetensorsOf(tensors),
      /"encoder.in_enc.fcs.0.weight" is not finite at position 3/,
    );
    await expectRefusal(
      'bad.onnx',
      onnxOf(tensors, 'raw'),
      /"encoder.in_enc.fcs.0.weight" is not finite at position 3/,
    );
  });

  it('that are not all there are refused by name, and bytes that belong to nothing too', async () => {
    const tensors = syntheticTensors();
    await expectRefusal('bad.safetensors', Buffer.concat([safetensorsOf(tensors), Buffer.alloc(4)]), /after the last/);
    tensors.delete('decoder.pool.gate_nn.bias');
    await expectRefusal('bad.safetensors', safetensorsOf(tensors), /"decoder.pool.gate_nn.bias" is missing/);
    await expectRefusal('bad.onnx', onnxOf(tensors, 'raw'), /"decoder.pool.gate_nn.bias" is missing/);
  });

  it('in an ONNX model of another kind are refused by name', async () => {
    const tensors = syntheticTensors();
    const { values } = tensors.get(NAME)!;
    tensors.set(NAME, { shape: [128, 3], values });
    await expectRefusal('bad.onnx', onnxOf(tensors, 'raw'), /has not as many values as its shape says/);
    await expectRefusal('bad.onnx', onnxOf(syntheticTensors(), 'raw', 10), /does not consist of float32/);
  });

  it('cut short anywhere are refused, never half read', async () => {
    const tensors = syntheticTensors();
    for (const [name, file] of [
      ['cut.safetensors', safetensorsOf(tensors)],
      ['cut.onnx', onnxOf(tensors, 'raw')],
    ] as const) {
      for (const length of [0, 1, 7, 8, 9, 100, 5000, 100_000, file.length - 1]) {
        await expect(load(name, file.subarray(0, length))).rejects.toThrow(WeightsFileError);
      }
    }
  });

  it('in no file, in a folder, or in a file of another kind are refused', async () => {
    await expect(loadCnsWeights(join(folder, 'absent.safetensors'))).rejects.toThrow(/cannot be read.*ENOENT/);
    await expect(loadCnsWeights(`${folder}/.`)).rejects.toThrow(WeightsFileError);
    await expectRefusal('checkpoint.pth', Buffer.from('PK'), /ends in none of \.safetensors, \.onnx/);
  });
});

function expectSame(weights: CnsWeights, tensors: ReadonlyMap<string, Tensor>): void {
  for (const [name, { shape, values }] of tensors) {
    const read = weights.get(name);
    expect(read.shape).toEqual(shape);
    // Element by element it would take seconds.
    expect(Buffer.from(read.values.buffer).equals(Buffer.from(values.buffer))).toBe(true);
  }
}

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: number[] } | undefined>;

function shift(header: Header, by: number): void {
  header[NAME]!.data_offsets = header[NAME]!.data_offsets.map((offset) => offset + by);
}

async function load(name: string, bytes: Uint8Array) {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return loadCnsWeights(path);
}

async function expectRefusal(name: string, bytes: Uint8Array, message: RegExp): Promise<void> {
  const refused = load(name, bytes);
  await expect(refused).rejects.toThrow(WeightsFileError);
  await expect(refused).rejects.toThrow(message);
}

/** An ONNX model with the tensors as initializers, and an initializer and fields that a reader has to pass over. */
function onnxOf(tensors: ReadonlyMap<string, Tensor>, kind: 'raw' | 'floats', dataType = 1): Buffer {
  const initializers = [...tensors].map(([name, { shape, values }]) => {
    const bytes = Buffer.alloc(values.length * 4);
    values.forEach((value, i) => bytes.writeFloatLE(value, i * 4));
    const dims = kind === 'raw' ? shape.flatMap((size) => [...varintField(1, size)]) : [...field(1, packed(shape))];
    return Buffer.concat([
      Buffer.from(dims),
      varintField(2, dataType),
      field(8, Buffer.from(name)),
      kind === 'raw' ? field(9, bytes) : field(4, bytes),
    ]);
  });
  const constant = Buffer.concat([
    varintField(1, 1),
    varintField(2, 7),
    field(8, Buffer.from('axis')),
    field(7, varint(1)),
  ]);
  const graph = [field(2, Buffer.from('cns')), ...[constant, ...initializers].map((bytes) => field(5, bytes))];
  const fixed = Buffer.from([(15 << 3) | 5, 0, 0, 0, 0, (15 << 3) | 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([varintField(1, 8), fixed, field(7, Buffer.concat(graph))]);
}

const packed = (values: readonly number[]) => Buffer.concat(values.map(varint));
const varintField = (number: number, value: number) => Buffer.concat([varint(number << 3), varint(value)]);
const field = (number: number, bytes: Buffer) =>
  Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return Buffer.from([...bytes, value]);
}
