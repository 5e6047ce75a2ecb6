import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { safetensorsOf, syntheticTensors, writeSyntheticWeights } from '../../../../tests/support/cns-weights.js';
import { RunnerUnavailableError } from '../../runner.errors.js';
import { loadCnsWeights, type WeightsFile } from './load-weights.js';
import { WeightsStore } from './weights-store.js';

describe('weights between the jobs of an engine', () => {
  let folder: string;
  let file: WeightsFile;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weights-store-'));
    const path = await writeSyntheticWeights(folder);
    file = { path, digest: (await loadCnsWeights(path)).digest };
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('are read once', async () => {
    const store = new WeightsStore();
    const first = await store.load(file);
    await rm(file.path);
    expect(await store.load(file)).toBe(first);
  });

  it('are refused when the file has become another one, or is gone, since the start', async () => {
    const tensors = syntheticTensors();
    tensors.get('decoder.pool.gate_nn.bias')!.values[0] = 0.25;
    await writeFile(file.path, safetensorsOf(tensors));
    await expect(new WeightsStore().load(file)).rejects.toThrow(/another one than when the worker started/);
    await rm(file.path);
    await expect(new WeightsStore().load(file)).rejects.toThrow(RunnerUnavailableError);
  });

  it('are missed where there are none', async () => {
    await expect(new WeightsStore().load(null)).rejects.toThrow(RunnerUnavailableError);
  });
});
