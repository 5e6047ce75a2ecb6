import { KernelArena, loadKernel, type KernelExports } from '../vision/kernel-module.js';
import type { Layer } from './layers.js';
import { zeros, type Matrix } from './matrix.js';

/** Output columns that a packed layer works on at a time. */
const PANEL_COLUMNS = 8;
/** The kernel works on rows in fours and may touch the rest of the last four. */
const ROWS_AT_ONCE = 4;

/** Exports of `kernels/network.as.ts`; all addresses in bytes, strides in floats. */
export interface NetworkKernelExports extends KernelExports {
  linear(
    x: number,
    xStride: number,
    rows: number,
    width: number,
    weights: number,
    columns: number,
    addend: number,
    addendIndex: number,
    out: number,
    outStride: number,
    rectified: number,
  ): void;
  segmentAttention(
    logits: number,
    logitStride: number,
    values: number,
    valueStride: number,
    columns: number,
    members: number,
    starts: number,
    segments: number,
    out: number,
    outStride: number,
  ): void;
  connectAll(nodes: number, count: number, columns: number, live: number, out: number): void;
  graphNorm(x: number, rows: number, columns: number, weight: number, bias: number, meanScale: number): void;
  addRectified(a: number, b: number, out: number, length: number): void;
  resetState(gates: number, state: number, joined: number, rows: number, columns: number): void;
  updateState(gates: number, candidate: number, state: number, rows: number, columns: number): void;
}

/** A float32 matrix in the kernel's memory. `stride`: floats from one row to the next. */
export interface Block {
  address: number;
  stride: number;
}

/** A layer in the kernel's memory. */
export interface PlacedLayer {
  /** Inputs. */
  width: number;
  /** Outputs, rounded up to whole panels; those beyond the layer's own are zero. */
  columns: number;
  weights: number;
  /** One row. */
  bias: Block;
}

/** What is added to a layer's product in place of its bias: row `index[r]` of `rows` to the result's row r. */
export interface Addend {
  rows: Block;
  /** Address of int32. */
  index: number;
}

/** The kernel with its memory, in terms of layers and blocks. */
export class NetworkKernel {
  /** @throws Error when the kernel is not built */
  static async create(): Promise<NetworkKernel> {
    return new NetworkKernel(await loadKernel<NetworkKernelExports>('network'));
  }

  readonly arena: KernelArena;

  private constructor(readonly exports: NetworkKernelExports) {
    this.arena = new KernelArena(exports);
  }

  /** Room for a matrix, and for what the kernel may touch beyond it. */
  reserve(rows: number, columns: number): Block {
    return { address: this.arena.reserve(padded(rows) * columns * 4), stride: columns };
  }

  /** Room for `count` indices, and for what the kernel may touch beyond them. */
  reserveIndices(count: number): number {
    return this.arena.reserve(padded(count) * 4);
  }

  place(layer: Layer): PlacedLayer {
    const { rows, columns: width, values } = layer.weight;
    const columns = Math.ceil(rows / PANEL_COLUMNS) * PANEL_COLUMNS;
    const weights = this.arena.reserve(columns * width * 4);
    const bias = this.placeRow(layer.bias, columns);
    const packed = this.arena.floats(weights, columns * width);
    packed.fill(0);
    for (let output = 0; output < rows; output++) {
      const panel = Math.floor(output / PANEL_COLUMNS) * PANEL_COLUMNS * width;
      for (let input = 0; input < width; input++) {
        packed[panel + input * PANEL_COLUMNS + (output % PANEL_COLUMNS)] = values[output * width + input]!;
      }
    }
    return { width, columns, weights, bias };
  }

  /** The values of a column matrix as a row of `columns` floats. */
  placeRow({ values }: Matrix, columns = values.length): Block {
    const block = this.reserve(1, columns);
    const row = this.arena.floats(block.address, columns);
    row.fill(0);
    row.set(values);
    return block;
  }

  /** A layer without bias, for one that is given its addend. */
  placeProduct(weight: Matrix): PlacedLayer {
    return this.place({ weight, bias: zeros(weight.rows, 1) });
  }

  /**
   * out = layer(x), for `rows` rows.
   * @param rectified so many of the first output columns are cut off below zero
   */
  apply(layer: PlacedLayer, x: Block, rows: number, out: Block, rectified = 0, addend?: Addend): void {
    this.exports.linear(
      x.address,
      x.stride,
      rows,
      layer.width,
      layer.weights,
      layer.columns,
      addend?.rows.address ?? layer.bias.address,
      addend?.index ?? 0,
      out.address,
      out.stride,
      rectified,
    );
  }

  view({ address, stride }: Block, rows: number): Float32Array {
    return this.arena.floats(address, rows * stride);
  }
}

/** The columns of a block from `column` on. */
export function fromColumn({ address, stride }: Block, column: number): Block {
  return { address: address + column * 4, stride };
}

/** The rows of a block from `row` on. */
export function fromRow({ address, stride }: Block, row: number): Block {
  return { address: address + row * stride * 4, stride };
}

/** As many rows as the kernel works on when told to do so many. */
export function padded(rows: number): number {
  return Math.ceil(rows / ROWS_AT_ONCE) * ROWS_AT_ONCE;
}
