import { readFile } from 'node:fs/promises';

/** The part of the WebAssembly API used here; Node's type package does not declare it. */
interface WebAssemblyApi {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: unknown } }>;
}
const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi };

/** The memory of a module. After `grow`, `buffer` is another one and views of the old one are empty. */
export interface ModuleMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** Bytes of one page of memory. */
export const PAGE_BYTES = 65_536;

/**
 * Loads one of our own modules, made by `npm run build:kernels`.
 * @throws Error when the file is missing (kernels not built) or no valid WebAssembly
 */
export async function loadModule<Exports>(file: URL): Promise<Exports> {
  const name = file.pathname.slice(file.pathname.lastIndexOf('/') + 1);
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new Error(`Kernel ${name} cannot be read; "npm run build:kernels" makes it`, { cause });
  });
  const { instance } = await WebAssembly.instantiate(bytes, {
    env: {
      abort() {
        throw new Error(`Kernel ${name} aborted`);
      },
    },
  });
  // The module is ours and built from the source the interface describes: nothing to check at run time.
  return instance.exports as Exports;
}
