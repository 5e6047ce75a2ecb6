/**
 * Layers of the graph network in AssemblyScript SIMD, on float32 matrices in row-major order. Widths are multiples of 8
 * unless said otherwise. The same input gives the same output on every machine: no order of summation depends on it.
 */

/** First address the caller may use. */
export function arenaStart(): usize {
  return (__heap_base + 15) & ~15;
}

const ROWS_AT_ONCE: i32 = 4;
const LEAST: f32 = -3.4028234663852886e38;
/** Keeps the quotient of an empty softmax finite. */
const SOFTMAX_EPSILON: f32 = 1e-16;
const NORM_EPSILON: f32 = 1e-5;

/**
 * out = x W^T + addend, of which the first `rectified` columns (a multiple of 8) are cut off below zero.
 *
 * `weights` are packed: for 8 output columns at a time, `width` rows of 8. Row r starts from row `addendIndex[r]` of
 * `addend`, or from its first row when `addendIndex` is 0. Rows are worked on in fours: up to three beyond `rows` are
 * read (x, addendIndex) and written (out), and the caller reserves for them. Strides in floats.
 */
export function linear(
  x: usize, xStride: i32, rows: i32, width: i32,
  weights: usize, columns: i32, addend: usize, addendIndex: usize,
  out: usize, outStride: i32, rectified: i32,
): void {
  const panelBytes = <usize>width << 5;
  const panels = columns >> 3;
  const inBytes = <usize>xStride << 2;
  const outBytes = <usize>outStride << 2;
  const addendBytes = <usize>columns << 2;
  for (let panel = 0; panel < panels; panel++) {
    const w = weights + <usize>panel * panelBytes;
    const column = <usize>panel << 5;
    const floor = f32x4.splat((panel << 3) < rectified ? 0 : LEAST);
    for (let row = 0; row < rows; row += ROWS_AT_ONCE) {
      const start0 = startRow(addend, addendIndex, addendBytes, row) + column;
      const start1 = startRow(addend, addendIndex, addendBytes, row + 1) + column;
      const start2 = startRow(addend, addendIndex, addendBytes, row + 2) + column;
      const start3 = startRow(addend, addendIndex, addendBytes, row + 3) + column;
      let a0 = v128.load(start0);
      let a1 = v128.load(start0, 16);
      let b0 = v128.load(start1);
      let b1 = v128.load(start1, 16);
      let c0 = v128.load(start2);
      let c1 = v128.load(start2, 16);
      let d0 = v128.load(start3);
      let d1 = v128.load(start3, 16);
      const x0 = x + <usize>row * inBytes;
      const x1 = x0 + inBytes;
      const x2 = x1 + inBytes;
      const x3 = x2 + inBytes;
      for (let k: usize = 0, p = w; k < (<usize>width << 2); k += 4, p += 32) {
        const w0 = v128.load(p);
        const w1 = v128.load(p, 16);
        const s0 = v128.load32_splat(x0 + k);
        a0 = f32x4.add(a0, f32x4.mul(s0, w0));
        a1 = f32x4.add(a1, f32x4.mul(s0, w1));
        const s1 = v128.load32_splat(x1 + k);
        b0 = f32x4.add(b0, f32x4.mul(s1, w0));
        b1 = f32x4.add(b1, f32x4.mul(s1, w1));
        const s2 = v128.load32_splat(x2 + k);
        c0 = f32x4.add(c0, f32x4.mul(s2, w0));
        c1 = f32x4.add(c1, f32x4.mul(s2, w1));
        const s3 = v128.load32_splat(x3 + k);
        d0 = f32x4.add(d0, f32x4.mul(s3, w0));
        d1 = f32x4.add(d1, f32x4.mul(s3, w1));
      }
      let o = out + <usize>row * outBytes + column;
      storePair(o, a0, a1, floor);
      o += outBytes;
      storePair(o, b0, b1, floor);
      o += outBytes;
      storePair(o, c0, c1, floor);
      o += outBytes;
      storePair(o, d0, d1, floor);
    }
  }
}

@inline
function startRow(addend: usize, addendIndex: usize, bytes: usize, row: i32): usize {
  return addendIndex === 0 ? addend : addend + <usize>load<i32>(addendIndex + (<usize>row << 2)) * bytes;
}

@inline
function storePair(out: usize, low: v128, high: v128, floor: v128): void {
  v128.store(out, f32x4.max(floor, low));
  v128.store(out, f32x4.max(floor, high), 16);
}

/**
 * For each segment and column: the softmax of the members' logits weighs their values; the sum, cut off below zero, is
 * written to row s of `out`. An empty segment gives zeros. Segment s has the members `members[starts[s]]` to
 * `members[starts[s + 1] - 1]`, which are rows of `logits` and `values`. Strides in floats, `columns` a multiple of 4.
 */
export function segmentAttention(
  logits: usize, logitStride: i32, values: usize, valueStride: i32, columns: i32,
  members: usize, starts: usize, segments: i32, out: usize, outStride: i32,
): void {
  const logitBytes = <usize>logitStride << 2;
  const valueBytes = <usize>valueStride << 2;
  for (let segment = 0; segment < segments; segment++) {
    const begin = members + (<usize>load<i32>(starts + (<usize>segment << 2)) << 2);
    const end = members + (<usize>load<i32>(starts + (<usize>segment << 2), 4) << 2);
    const target = out + <usize>segment * (<usize>outStride << 2);
    for (let column: usize = 0; column < (<usize>columns << 2); column += 16) {
      let greatest = f32x4.splat(LEAST);
      for (let m = begin; m < end; m += 4) {
        greatest = f32x4.pmax(greatest, v128.load(logits + <usize>load<i32>(m) * logitBytes + column));
      }
      let weight = f32x4.splat(0);
      let sum = f32x4.splat(0);
      for (let m = begin; m < end; m += 4) {
        const row = <usize>load<i32>(m);
        const share = exponential(f32x4.sub(v128.load(logits + row * logitBytes + column), greatest));
        weight = f32x4.add(weight, share);
        sum = f32x4.add(sum, f32x4.mul(share, v128.load(values + row * valueBytes + column)));
      }
      const mean = f32x4.div(sum, f32x4.add(weight, f32x4.splat(SOFTMAX_EPSILON)));
      v128.store(target + column, f32x4.max(f32x4.splat(0), mean));
    }
  }
}

/**
 * Messages of a fully connected graph: row i of `sender` holds what i adds to every message it receives (first `columns`)
 * and what it sends (next `columns`). out[i] = received[i] + the greatest of what the nodes send. Nodes whose byte in
 * `live` is 0 neither send nor receive: their row is zeros. `live` 0: all nodes take part.
 */
export function connectAll(nodes: usize, count: i32, columns: i32, live: usize, out: usize): void {
  const bytes = <usize>columns << 2;
  for (let column: usize = 0; column < bytes; column += 16) {
    let greatest = f32x4.splat(LEAST);
    for (let i = 0; i < count; i++) {
      if (live !== 0 && load<u8>(live + i) === 0) continue;
      greatest = f32x4.pmax(greatest, v128.load(nodes + <usize>i * bytes * 2 + bytes + column));
    }
    for (let i = 0; i < count; i++) {
      const isOut = live !== 0 && load<u8>(live + i) === 0;
      const own = v128.load(nodes + <usize>i * bytes * 2 + column);
      v128.store(out + <usize>i * bytes + column, isOut ? f32x4.splat(0) : f32x4.add(own, greatest));
    }
  }
}

/**
 * GraphNorm (Cai et al. 2021) over all rows, in place, then cut off below zero:
 * y = x - meanScale * mean(x); y = weight * y / sqrt(mean(y^2) + 1e-5) + bias
 */
export function graphNorm(
  x: usize, rows: i32, columns: i32, weight: usize, bias: usize, meanScale: usize,
): void {
  const bytes = <usize>columns << 2;
  const share = f32x4.splat(<f32>1 / <f32>rows);
  for (let column: usize = 0; column < bytes; column += 16) {
    let sum = f32x4.splat(0);
    for (let i = 0; i < rows; i++) sum = f32x4.add(sum, v128.load(x + <usize>i * bytes + column));
    const shift = f32x4.mul(f32x4.mul(sum, share), v128.load(meanScale + column));
    let squares = f32x4.splat(0);
    for (let i = 0; i < rows; i++) {
      const centred = f32x4.sub(v128.load(x + <usize>i * bytes + column), shift);
      squares = f32x4.add(squares, f32x4.mul(centred, centred));
    }
    const deviation = f32x4.sqrt(f32x4.add(f32x4.mul(squares, share), f32x4.splat(NORM_EPSILON)));
    const scale = f32x4.div(v128.load(weight + column), deviation);
    const base = v128.load(bias + column);
    for (let i = 0; i < rows; i++) {
      const address = x + <usize>i * bytes + column;
      const y = f32x4.add(f32x4.mul(f32x4.sub(v128.load(address), shift), scale), base);
      v128.store(address, f32x4.max(f32x4.splat(0), y));
    }
  }
}

/** out = max(0, a + b) over `length` floats, a multiple of 4. */
export function addRectified(a: usize, b: usize, out: usize, length: i32): void {
  for (let i: usize = 0; i < (<usize>length << 2); i += 16) {
    v128.store(out + i, f32x4.max(f32x4.splat(0), f32x4.add(v128.load(a + i), v128.load(b + i))));
  }
}

/**
 * First half of a gated recurrent unit (Cho et al. 2014): `gates` holds for each row the logits of the reset gate, then
 * those of the update gate, `columns` each, and receives the gates. `joined` holds x and the state side by side; its
 * state half receives the state times the reset gate.
 */
export function resetState(gates: usize, state: usize, joined: usize, rows: i32, columns: i32): void {
  const bytes = <usize>columns << 2;
  for (let i = 0; i < rows; i++) {
    const gate = gates + <usize>i * bytes * 2;
    for (let k: usize = 0; k < bytes; k += 16) {
      const reset = sigmoid(v128.load(gate + k));
      v128.store(gate + k, reset);
      v128.store(gate + bytes + k, sigmoid(v128.load(gate + bytes + k)));
      v128.store(joined + <usize>i * bytes * 2 + bytes + k, f32x4.mul(v128.load(state + <usize>i * bytes + k), reset));
    }
  }
}

/** Second half: state = (1 - update) * state + update * tanh(candidate). */
export function updateState(gates: usize, candidate: usize, state: usize, rows: i32, columns: i32): void {
  const bytes = <usize>columns << 2;
  const one = f32x4.splat(1);
  for (let i = 0; i < rows; i++) {
    const update = gates + <usize>i * bytes * 2 + bytes;
    for (let k: usize = 0; k < bytes; k += 16) {
      const address = state + <usize>i * bytes + k;
      const share = v128.load(update + k);
      const fresh = hyperbolicTangent(v128.load(candidate + <usize>i * bytes + k));
      const kept = f32x4.mul(f32x4.sub(one, share), v128.load(address));
      v128.store(address, f32x4.add(kept, f32x4.mul(share, fresh)));
    }
  }
}

/** Sigmoid 1 / (1 + e^-x); within 2e-7 of the exact value. */
@inline
function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exponential(f32x4.neg(x))));
}

/** 1 - 2 / (e^2x + 1); within 2e-7 of the exact value, though not relative to it near 0. */
@inline
function hyperbolicTangent(x: v128): v128 {
  const one = f32x4.splat(1);
  const power = exponential(f32x4.add(x, x));
  return f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(power, one)));
}

/**
 * e^x by e^x = 2^n e^r with n = round(x / ln 2), and the polynomial for e^r of S. Moshier's Cephes library (expf); within
 * 2 units of the last place. Arguments are held within -87.3 and 88.3, where neither zero nor infinity is met.
 */
@inline
function exponential(argument: v128): v128 {
  const x = f32x4.pmax(f32x4.splat(-87.3), f32x4.pmin(f32x4.splat(88.3), argument));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)));
  // ln 2 in two parts: the first has few enough digits for n times it to be exact.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  let p = f32x4.splat(1.9875691500e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, power);
}
