import type { KserveFault } from './kserve-faults.js';
import type { ScriptedModel } from './kserve-model.js';

/** What both fronts ask. */
export interface KserveServerState {
  readonly model: ScriptedModel;
  readonly token: string | undefined;
  readonly maxRequestBytes: number | undefined;
  /** What is wrong with it always. */
  readonly fault: KserveFault | undefined;
  readonly serverMetadata: object;
  readonly modelMetadata: object;
  /** What is wrong with the next request to the model. */
  faultOf(): KserveFault | undefined;
  hasModel(name: string | undefined, version: string | undefined): boolean;
  /** Never answers; told so that tests need not guess. */
  pause(): Promise<never>;
  /** Whether the job of this request was under way when the server died. */
  isLost(id: string): boolean;
  /** Breaks all connections. */
  cut(): void;
}
