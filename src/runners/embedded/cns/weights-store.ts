import { RunnerUnavailableError } from '../../runner.errors.js';
import { loadCnsWeights, type LoadedWeights, type WeightsFile } from './load-weights.js';

/** Keeps the weights between the jobs of one engine. */
export class WeightsStore {
  private kept: LoadedWeights | null = null;

  /**
   * @param file null: the engine was given none
   * @throws RunnerUnavailableError when there are no weights, or others than those that the runner told of at its start
   */
  async load(file: WeightsFile | null): Promise<LoadedWeights> {
    if (file === null) throw new RunnerUnavailableError('This engine has no weights for the policy "cns".');
    if (this.kept?.digest === file.digest) return this.kept;
    const loaded = await this.read(file);
    if (loaded.digest !== file.digest) {
      const hint = 'Restart the worker to use the new one.';
      throw new RunnerUnavailableError(`The file of CNS weights is another one than when the worker started. ${hint}`);
    }
    this.kept = loaded;
    return loaded;
  }

  private async read({ path }: WeightsFile): Promise<LoadedWeights> {
    try {
      return await loadCnsWeights(path);
    } catch (error) {
      throw new RunnerUnavailableError('The file of CNS weights cannot be used any more.', { cause: error });
    }
  }
}
