import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { TENSOR_SHAPES, type Tensor } from '../../src/runners/embedded/cns/weights.js';
import { createRandom } from '../../src/runners/embedded/vision/random.js';

/**
 * Weights that have learned nothing, for tests that must not need the published ones: tensor number t (in the order of
 * TENSOR_SHAPES) is filled from the generator with seed t + 1 with numbers in ±1.5 / √inputs, those of a GraphNorm in
 * 1 ± 0.5. `tests/fixtures/cns/make-vectors.py` makes the same ones.
 */
export function syntheticTensors(): Map<string, Tensor> {
  return new Map(
    [...TENSOR_SHAPES].map(([name, shape], index) => {
      const random = createRandom(index + 1);
      const isNorm = /\.bn\.(?:weight|mean_scale)$/.test(name);
      const [centre, reach] = isNorm ? [1, 0.5] : [0, 1.5 / Math.sqrt(shape[1] ?? 128)];
      const size = shape.reduce((product, length) => product * length, 1);
      return [name, { shape, values: Float32Array.from({ length: size }, () => centre + reach * (2 * random() - 1)) }];
    }),
  );
}

/** The tensors as a safetensors file. `edit` may spoil the header before it is written down. */
export function safetensorsOf(
  tensors: ReadonlyMap<string, Tensor>,
  edit: (header: Record<string, unknown>) => void = () => undefined,
): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const pieces: Buffer[] = [];
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    const bytes = Buffer.alloc(values.length * 4);
    values.forEach((value, i) => bytes.writeFloatLE(value, i * 4));
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes.length] };
    pieces.push(bytes);
    offset += bytes.length;
  }
  edit(header);
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...pieces]);
}

/** @returns the path of a file with the synthetic weights in the folder */
export async function writeSyntheticWeights(folder: string): Promise<string> {
  const path = join(folder, 'synthetic.safetensors');
  await writeFile(path, safetensorsOf(syntheticTensors()));
  return path;
}
