import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';

import { readOnnxInitializers } from './onnx-initializers.js';
import { readSafetensors } from './safetensors.js';
import { CnsWeights, TENSOR_SHAPES, WeightsError, type Tensor } from './weights.js';

/** The published weights take 1.9 MB; an ONNX file adds its graph. */
const LARGEST_FILE_BYTES = 64 * 1024 ** 2;

const READERS: Readonly<Record<string, (file: Uint8Array) => Map<string, Tensor>>> = {
  '.safetensors': readSafetensors,
  '.onnx': readOnnxInitializers,
};

/** What the weights are called in results. */
export const CNS_MODEL_NAME = 'CNS';

/** A file of weights that was found to be good. */
export interface WeightsFile {
  path: string;
  /** As in LoadedWeights. */
  digest: string;
}

export interface LoadedWeights {
  weights: CnsWeights;
  /** `sha256:` and the file's digest in hexadecimal digits. */
  digest: string;
}

/**
 * Reads and checks the weights of the CNS network.
 *
 * @param path a `.safetensors` file, or an `.onnx` file whose initializers carry the names of the published state dict
 * @throws WeightsFileError that says what is wrong with which tensor
 */
export async function loadCnsWeights(path: string): Promise<LoadedWeights> {
  const read = READERS[extname(path).toLowerCase()];
  if (read === undefined) {
    throw new WeightsFileError(path, `its name ends in none of ${Object.keys(READERS).join(', ')}`);
  }
  const bytes = await readBounded(path);
  try {
    const weights = CnsWeights.of(read(bytes));
    return { weights, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
  } catch (error) {
    if (error instanceof WeightsError) throw new WeightsFileError(path, error.message, error);
    throw error;
  }
}

export class WeightsFileError extends Error {
  override readonly name = 'WeightsFileError';

  constructor(path: string, problem: string, cause?: unknown) {
    super(`${path} does not hold the ${TENSOR_SHAPES.size} tensors of the CNS network: ${problem}.`, { cause });
  }
}

async function readBounded(path: string): Promise<Uint8Array> {
  try {
    const information = await stat(path);
    if (!information.isFile()) throw new WeightsFileError(path, 'it is no file');
    if (information.size > LARGEST_FILE_BYTES) {
      throw new WeightsFileError(path, `it is larger than ${LARGEST_FILE_BYTES} bytes`);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof WeightsFileError) throw error;
    throw new WeightsFileError(
      path,
      `it cannot be read (${error instanceof Error ? error.message : 'unknown'})`,
      error,
    );
  }
}
