import type { Tensor } from './weights.js';

/** A matrix in double precision, row-major: what layers are folded with before they are rounded once. */
export interface Matrix {
  rows: number;
  columns: number;
  values: Float64Array;
}

/** A tensor with two axes as it is; one with one axis as a column. */
export function matrixOf({ shape: [rows = 1, columns = 1], values }: Tensor): Matrix {
  return { rows, columns, values: Float64Array.from(values) };
}

export function zeros(rows: number, columns: number): Matrix {
  return { rows, columns, values: new Float64Array(rows * columns) };
}

export function multiply(a: Matrix, b: Matrix): Matrix {
  const product = zeros(a.rows, b.columns);
  for (let i = 0; i < a.rows; i++) {
    for (let k = 0; k < a.columns; k++) {
      const factor = a.values[i * a.columns + k]!;
      for (let j = 0; j < b.columns; j++) product.values[i * b.columns + j]! += factor * b.values[k * b.columns + j]!;
    }
  }
  return product;
}

/** a + factor * b */
export function add(a: Matrix, b: Matrix, factor = 1): Matrix {
  return { ...a, values: a.values.map((value, i) => value + factor * b.values[i]!) };
}

export function scale(a: Matrix, factor: number): Matrix {
  return { ...a, values: a.values.map((value) => factor * value) };
}

/** The columns `from` to `to - 1`. */
export function columnsOf(a: Matrix, from: number, to: number): Matrix {
  const part = zeros(a.rows, to - from);
  for (let i = 0; i < a.rows; i++) {
    part.values.set(a.values.subarray(i * a.columns + from, i * a.columns + to), i * part.columns);
  }
  return part;
}

/** Side by side. */
export function beside(...parts: Matrix[]): Matrix {
  const joined = zeros(
    parts[0]!.rows,
    parts.reduce((sum, { columns }) => sum + columns, 0),
  );
  let column = 0;
  for (const part of parts) {
    for (let i = 0; i < part.rows; i++) {
      const row = part.values.subarray(i * part.columns, (i + 1) * part.columns);
      joined.values.set(row, i * joined.columns + column);
    }
    column += part.columns;
  }
  return joined;
}

/** One below the other. */
export function above(...parts: Matrix[]): Matrix {
  const values = new Float64Array(parts.reduce((sum, part) => sum + part.values.length, 0));
  let filled = 0;
  for (const part of parts) {
    values.set(part.values, filled);
    filled += part.values.length;
  }
  return { rows: values.length / parts[0]!.columns, columns: parts[0]!.columns, values };
}
