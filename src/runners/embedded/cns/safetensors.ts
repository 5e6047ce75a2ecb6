import { z } from 'zod';

import { TENSOR_SHAPES, WeightsError, type Tensor } from './weights.js';

const LENGTH_BYTES = 8;
const BYTES_PER_VALUE = 4;
const METADATA = '__metadata__';

const headerSchema = z.record(z.string(), z.unknown());
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

/**
 * Reads a safetensors file: eight bytes with the length of the header, the header in JSON, the tensors' bytes, all little
 * endian. Only float32 tensors, only those of the network, next to each other without gaps or overlaps.
 *
 * @throws WeightsError
 */
export function readSafetensors(file: Uint8Array): Map<string, Tensor> {
  const { header, data } = split(file);
  const tensors = new Map<string, Tensor>();
  const ranges: { name: string; begin: number; end: number }[] = [];
  for (const [name, raw] of Object.entries(header)) {
    if (name === METADATA) continue;
    if (!TENSOR_SHAPES.has(name)) throw new WeightsError(`the tensor "${name}" is none of the CNS network`);
    const entry = entrySchema.safeParse(raw);
    if (!entry.success) throw new WeightsError(`the entry of the tensor "${name}" in the header is malformed`);
    const { dtype, shape, data_offsets: offsets } = entry.data;
    const [begin, end] = offsets;
    if (dtype !== 'F32') throw new WeightsError(`the tensor "${name}" is ${dtype} instead of F32`);
    const bytes = shape.reduce((product, size) => product * size, BYTES_PER_VALUE);
    if (end - begin !== bytes || end > data.length) {
      throw new WeightsError(
        `the tensor "${name}" does not lie where the header says: the file is damaged or cut short`,
      );
    }
    ranges.push({ name, begin, end });
    tensors.set(name, { shape, values: littleEndianFloats(data.subarray(begin, end)) });
  }
  requireSeamless(ranges, data.length);
  return tensors;
}

function split(file: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } {
  const damaged = (cause?: unknown) => new WeightsError('it is no safetensors file', { cause });
  if (file.length < LENGTH_BYTES) throw damaged();
  const length = new DataView(file.buffer, file.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > BigInt(file.length - LENGTH_BYTES)) throw damaged();
  const begin = LENGTH_BYTES + Number(length);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(LENGTH_BYTES, begin));
    return { header: headerSchema.parse(JSON.parse(text)), data: file.subarray(begin) };
  } catch (error) {
    throw damaged(error);
  }
}

function requireSeamless(ranges: { name: string; begin: number; end: number }[], length: number): void {
  let expected = 0;
  for (const { name, begin, end } of ranges.sort((a, b) => a.begin - b.begin)) {
    if (begin < expected) throw new WeightsError(`the tensor "${name}" overlaps another one`);
    if (begin > expected) throw new WeightsError(`there is a gap before the tensor "${name}"`);
    expected = end;
  }
  if (expected !== length) throw new WeightsError('there are bytes after the last tensor');
}

/** A copy, on whatever machine; the bytes need no alignment. */
export function littleEndianFloats(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength / BYTES_PER_VALUE }, (_, i) =>
    view.getFloat32(i * BYTES_PER_VALUE, true),
  );
}
