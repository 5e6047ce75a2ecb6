import { loadModule, PAGE_BYTES, type ModuleMemory } from '../../../platform/web-assembly.js';
import { RunnerInputError } from '../../runner.errors.js';

/** What 32-bit WebAssembly can address. */
const MAXIMUM_BYTES = 4 * 1024 ** 3 - PAGE_BYTES;

/** What every kernel module exports. */
export interface KernelExports {
  memory: ModuleMemory;
  /** First byte address the caller may use. */
  arenaStart(): number;
}

/**
 * Loads `kernels/<name>.wasm`, which lies at the same relative place in the sources and in the build.
 * @throws Error when the module is missing (kernels not built) or no valid WebAssembly
 */
export function loadKernel<Exports extends KernelExports>(name: string): Promise<Exports> {
  return loadModule<Exports>(new URL(`../kernels/${name}.wasm`, import.meta.url));
}

/**
 * Hands out pieces of a kernel's memory, one after another; `rewind` takes back everything after a mark. The memory
 * grows as needed and never shrinks, so typed arrays over it must be made after the last `reserve`.
 */
export class KernelArena {
  private top: number;

  constructor(private readonly kernel: KernelExports) {
    this.top = kernel.arenaStart();
  }

  mark(): number {
    return this.top;
  }

  rewind(mark: number): void {
    this.top = mark;
  }

  /**
   * Address of `bytes` bytes, 16-byte aligned, not cleared.
   * @throws RunnerInputError when the machine or the 32-bit address space has no room for it
   */
  reserve(bytes: number): number {
    const address = Math.ceil(this.top / 16) * 16;
    const end = address + bytes;
    const missing = end - this.kernel.memory.buffer.byteLength;
    if (missing > 0) this.grow(end, missing);
    this.top = end;
    return address;
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.kernel.memory.buffer, address, length);
  }

  integers(address: number, length: number): Int32Array {
    return new Int32Array(this.kernel.memory.buffer, address, length);
  }

  shorts(address: number, length: number): Int16Array {
    return new Int16Array(this.kernel.memory.buffer, address, length);
  }

  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.kernel.memory.buffer, address, length);
  }

  private grow(end: number, missing: number): void {
    const message = `The frame needs ${Math.ceil(end / 1024 ** 2)} MiB of working memory, more than there is`;
    if (end > MAXIMUM_BYTES) throw new RunnerInputError(message);
    try {
      this.kernel.memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (cause) {
      throw new RunnerInputError(message, { cause });
    }
  }
}
