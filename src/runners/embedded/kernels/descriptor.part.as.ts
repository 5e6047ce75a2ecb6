/** Descriptors: histograms of the gradients in 4 x 4 cells and 8 directions around a keypoint. */
import { gaussianTable, turn4 } from './angle.part.as';
import { at } from './plane.part.as';

const DIRECTIONS: i32 = 8;
/** Cells 0..3 with one of margin before them: a sample belongs to its cell and the next one, in both ways. */
const CELLS: i32 = 5;
/**
 * What falls between the same two rows, columns and directions is added up in one slot of eight sums, which are spread to
 * their bins at the end. Order: row 0: column 0: both directions, column 1: both directions; row 1 alike.
 */
const SLOT_BYTES: i32 = 32;
const TABLE_BYTES: usize = <usize>(CELLS * CELLS * DIRECTIONS * SLOT_BYTES);
const SECOND_ROW: usize = 16;

/** Constants of the inner loop, read from memory: the compiler would build each anew in several steps. */
const CONSTANTS = memory.data<f32>([-1, 4, 8, <f32>CELLS, <f32>(CELLS + 1), 12582912, 0, 1, 2, 3], 16);
/** Values of the keypoint and of the row that the inner loop needs, four times each, for the same reason. */
const FRAME_BYTES: usize = 96;

@inline
function constant(index: usize): v128 {
  return v128.load32_splat(CONSTANTS + (index << 2));
}

/** Small whole numbers as integers in the low bits; the high bits are of no use. */
@inline
function lowBits(whole: v128): v128 {
  return f32x4.add(whole, constant(5));
}

/**
 * Descriptor of a keypoint at plane position (px, py): 128 values of 0..255 as int16 to `out`.
 * `angle` in degrees, y up. `scratch`: 16 KiB.
 */
export function describe(
  plane: usize, width: i32, height: i32, px: f32, py: f32, scale: f32, angle: f32, scratch: usize, out: usize,
): void {
  const cellWidth = 3 * <f64>scale;
  const radians = <f64>angle * (3.141592653589793 / 180);
  const cosine = Math.cos(radians) / cellWidth;
  const sine = Math.sin(radians) / cellWidth;
  const diagonal = sqrt(<f64>width * <f64>width + <f64>height * <f64>height);
  const radius = min(min(<i32>nearest(cellWidth * 1.4142135623730951 * 2.5), <i32>diagonal), 300);
  // Two tables, filled in turn: neighbouring samples often fall into one slot, and would wait for each other.
  const slots = scratch;
  const others = scratch + TABLE_BYTES;
  memory.fill(slots, 0, 2 * TABLE_BYTES);
  const frame = others + TABLE_BYTES;
  const middle = gaussianTable(frame + FRAME_BYTES, radius, 2 * cellWidth);
  const x = <i32>nearest(px);
  const y = <i32>nearest(py);
  const pitch = <usize>width << 2;
  v128.store(frame, f32x4.splat(angle * <f32>(8.0 / 360.0)));
  v128.store(frame, f32x4.splat(<f32>cosine), 16);
  v128.store(frame, f32x4.splat(<f32>sine), 32);
  for (let row = max(y - radius, 1); row <= min(y + radius, height - 2); row++) {
    const i = <f64>(row - y);
    v128.store(frame, v128.load32_splat(at(middle, row - y)), 48);
    v128.store(frame, f32x4.splat(<f32>(1.5 - i * sine)), 64);
    v128.store(frame, f32x4.splat(<f32>(1.5 + i * cosine)), 80);
    // The part of the row inside the turned square, or a little more.
    const first = max(max(firstInside(cosine, -i * sine), firstInside(sine, i * cosine)), -radius);
    const last = min(min(-firstInside(cosine, i * sine), -firstInside(sine, -i * cosine)), radius);
    const left = max(x + first, 1);
    const right = min(x + last, width - 2);
    for (let column = left; column <= right; column += 4) {
      const j = f32x4.add(f32x4.splat(<f32>(column - x)), v128.load(CONSTANTS, 24));
      const cellC = f32x4.add(f32x4.mul(j, v128.load(frame, 16)), v128.load(frame, 64));
      const cellR = f32x4.add(f32x4.mul(j, v128.load(frame, 32)), v128.load(frame, 80));
      let inside = v128.and(
        f32x4.gt(f32x4.pmin(cellR, cellC), constant(0)),
        f32x4.lt(f32x4.pmax(cellR, cellC), constant(1)),
      );
      if (column + 3 > right) inside = v128.and(inside, f32x4.le(j, f32x4.splat(<f32>(right - x))));
      if (!v128.any_true(inside)) continue;
      const p = at(plane, row * width + column);
      const dx = f32x4.sub(v128.load(p + 4), v128.load(p - 4));
      const dy = f32x4.sub(v128.load(p - pitch), v128.load(p + pitch));
      const magnitude = f32x4.sqrt(f32x4.add(f32x4.mul(dx, dx), f32x4.mul(dy, dy)));
      const weight = f32x4.mul(v128.load(frame, 48), v128.load(at(middle, column - x)));
      const direction = f32x4.sub(f32x4.mul(turn4(dy, dx), constant(2)), v128.load(frame));
      const floorR = f32x4.floor(cellR);
      const floorC = f32x4.floor(cellC);
      const floorO = f32x4.floor(direction);
      const fractionC = f32x4.sub(cellC, floorC);
      const fractionO = f32x4.sub(direction, floorO);
      const whole = v128.and(inside, f32x4.mul(weight, magnitude));
      const row1 = f32x4.mul(whole, f32x4.sub(cellR, floorR));
      const row0 = f32x4.sub(whole, row1);
      const cell = f32x4.add(f32x4.mul(floorR, constant(3)), f32x4.add(floorC, constant(4)));
      const slot = v128.and(
        inside,
        i32x4.add(
          v128.and(i32x4.shl(lowBits(cell), 8), i32x4.splat(0x1f00)),
          v128.and(i32x4.shl(lowBits(floorO), 5), i32x4.splat(0xe0)),
        ),
      );
      const slot0 = slots + <usize>i32x4.extract_lane(slot, 0);
      const slot1 = others + <usize>i32x4.extract_lane(slot, 1);
      const slot2 = slots + <usize>i32x4.extract_lane(slot, 2);
      const slot3 = others + <usize>i32x4.extract_lane(slot, 3);
      spread(row0, fractionC, fractionO, slot0, slot1, slot2, slot3);
      spread(row1, fractionC, fractionO, slot0 + SECOND_ROW, slot1 + SECOND_ROW, slot2 + SECOND_ROW, slot3 + SECOND_ROW);
    }
  }
  for (let i: usize = 0; i < TABLE_BYTES; i += 16) {
    v128.store(slots + i, f32x4.add(v128.load(slots + i), v128.load(others + i)));
  }
  gather(slots, others);
  normalise(others, out);
}

/**
 * Smallest whole j that may have slope * j + offset > -2.5; for the largest with slope * j + offset < 2.5, the negative of
 * the same with -offset. Where the line is flat, any.
 */
@inline
function firstInside(slope: f64, offset: f64): i32 {
  if (abs(slope) < 1e-6) return -10000;
  return <i32>floor(((slope > 0 ? -2.5 : 2.5) - offset) / slope - 1e-3);
}

/** Spreads four samples over two columns and two directions each, and adds them to their slots. */
@inline
function spread(
  value: v128, fractionC: v128, fractionO: v128,
  slot0: usize, slot1: usize, slot2: usize, slot3: usize,
): void {
  const column1 = f32x4.mul(value, fractionC);
  const column0 = f32x4.sub(value, column1);
  const c1o1 = f32x4.mul(column1, fractionO);
  const c1o0 = f32x4.sub(column1, c1o1);
  const c0o1 = f32x4.mul(column0, fractionO);
  const c0o0 = f32x4.sub(column0, c0o1);
  const low0 = v128.shuffle<i32>(c0o0, c0o1, 0, 4, 1, 5);
  const high0 = v128.shuffle<i32>(c0o0, c0o1, 2, 6, 3, 7);
  const low1 = v128.shuffle<i32>(c1o0, c1o1, 0, 4, 1, 5);
  const high1 = v128.shuffle<i32>(c1o0, c1o1, 2, 6, 3, 7);
  v128.store(slot0, f32x4.add(v128.load(slot0), v128.shuffle<i64>(low0, low1, 0, 2)));
  v128.store(slot1, f32x4.add(v128.load(slot1), v128.shuffle<i64>(low0, low1, 1, 3)));
  v128.store(slot2, f32x4.add(v128.load(slot2), v128.shuffle<i64>(high0, high1, 0, 2)));
  v128.store(slot3, f32x4.add(v128.load(slot3), v128.shuffle<i64>(high0, high1, 1, 3)));
}

/** Adds up the sums that belong to each of the 128 bins. */
function gather(slots: usize, values: usize): void {
  let out = values;
  for (let row = 1; row < CELLS; row++) {
    for (let column = 1; column < CELLS; column++) {
      for (let o = 0; o < DIRECTIONS; o++) {
        const before = (o + DIRECTIONS - 1) & (DIRECTIONS - 1);
        const here = slotSum(slots, row, column, o, 0) + slotSum(slots, row, column, before, 4);
        const beside = slotSum(slots, row, column - 1, o, 8) + slotSum(slots, row, column - 1, before, 12);
        store<f32>(out, here + beside);
        out += 4;
      }
    }
  }
}

/** One of the four sums of a slot for its own row, and of the slot above for the row below it. */
@inline
function slotSum(slots: usize, row: i32, column: i32, direction: i32, sum: usize): f32 {
  const slot = slots + <usize>(((row * CELLS + column) * DIRECTIONS + direction) * SLOT_BYTES) + sum;
  return load<f32>(slot) + load<f32>(slot - <usize>(CELLS * DIRECTIONS * SLOT_BYTES) + SECOND_ROW);
}

/** Unit length, clipped at 0.2, unit length again, times 512, saturated to a byte. */
function normalise(values: usize, out: usize): void {
  const clip = f32x4.splat(sqrt(squaredLength(values)) * <f32>0.2);
  for (let i: usize = 0; i < 512; i += 16) v128.store(values + i, f32x4.pmin(v128.load(values + i), clip));
  const factor = f32x4.splat(<f32>512 / max(sqrt(squaredLength(values)), <f32>1.1920929e-7));
  for (let i: usize = 0; i < 512; i += 32) {
    v128.store(out + (i >> 1), i16x8.narrow_i32x4_s(level(values + i, factor), level(values + i + 16, factor)));
  }
}

@inline
function level(values: usize, factor: v128): v128 {
  return i32x4.min_s(i32x4.splat(255), i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(values), factor))));
}

@inline
function squaredLength(values: usize): f32 {
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < 512; i += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(values + i), v128.load(values + i)));
  return (
    f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3)
  );
}
