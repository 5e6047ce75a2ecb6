const POINTS_PER_CELL = 2;

/** Finds the nearest of a set of points in the plane, by a grid of cells that hold a few points each. */
export class NeighbourGrid {
  private readonly left: number;
  private readonly top: number;
  private readonly cellSize: number;
  private readonly columns: number;
  private readonly rows: number;
  /** Where each cell's points start in `members`, with one more entry for the end. */
  private readonly starts: Int32Array;
  private readonly members: Int32Array;

  /**
   * @param points x0, y0, x1, y1, …
   * @param chosen 1 for the points that may be found
   */
  constructor(
    private readonly points: Float64Array,
    chosen: Uint8Array,
  ) {
    let [left, top, right, bottom, count] = [Infinity, Infinity, -Infinity, -Infinity, 0];
    for (let i = 0; i < chosen.length; i++) {
      if (chosen[i] !== 1) continue;
      left = Math.min(left, points[2 * i]!);
      right = Math.max(right, points[2 * i]!);
      top = Math.min(top, points[2 * i + 1]!);
      bottom = Math.max(bottom, points[2 * i + 1]!);
      count++;
    }
    this.left = count === 0 ? 0 : left;
    this.top = count === 0 ? 0 : top;
    const [width, height] = count === 0 ? [1, 1] : [right - left + 1, bottom - top + 1];
    // Points on a line would ask for cells without end along it: no side gets more cells than there are points.
    this.cellSize = Math.max(
      Math.sqrt((width * height * POINTS_PER_CELL) / Math.max(count, 1)),
      Math.max(width, height) / Math.max(count, 1),
    );
    this.columns = Math.floor(width / this.cellSize) + 1;
    this.rows = Math.floor(height / this.cellSize) + 1;
    this.starts = new Int32Array(this.columns * this.rows + 1);
    this.members = new Int32Array(count);
    for (let i = 0; i < chosen.length; i++) if (chosen[i] === 1) this.starts[this.cellOf(i) + 1]!++;
    for (let cell = 1; cell < this.starts.length; cell++) this.starts[cell]! += this.starts[cell - 1]!;
    const next = this.starts.slice();
    for (let i = 0; i < chosen.length; i++) if (chosen[i] === 1) this.members[next[this.cellOf(i)]!++] = i;
  }

  /**
   * The points nearest to a place, nearest first; the place itself is no exception when it is one of them.
   *
   * @param found takes their indices, as many as it is long
   * @returns how many there are
   */
  nearest(x: number, y: number, found: Int32Array, squaredDistances: Float64Array): number {
    const wanted = found.length;
    const column = clamp(Math.floor((x - this.left) / this.cellSize), this.columns);
    const row = clamp(Math.floor((y - this.top) / this.cellSize), this.rows);
    const rings = Math.max(column, this.columns - 1 - column, row, this.rows - 1 - row);
    let count = 0;
    for (let ring = 0; ring <= rings; ring++) {
      // What the rings before left unseen is at least this far away.
      const reach = (ring - 1) * this.cellSize;
      if (count === wanted && reach > 0 && squaredDistances[wanted - 1]! <= reach * reach) break;
      for (let r = row - ring; r <= row + ring; r++) {
        if (r < 0 || r >= this.rows) continue;
        const isEdge = r === row - ring || r === row + ring;
        const stride = isEdge || ring === 0 ? 1 : 2 * ring;
        for (let c = column - ring; c <= column + ring; c += stride) {
          if (c < 0 || c >= this.columns) continue;
          count = this.collect(r * this.columns + c, x, y, found, squaredDistances, count);
        }
      }
    }
    return count;
  }

  private collect(
    cell: number,
    x: number,
    y: number,
    found: Int32Array,
    squaredDistances: Float64Array,
    before: number,
  ): number {
    let count = before;
    for (let at = this.starts[cell]!; at < this.starts[cell + 1]!; at++) {
      const index = this.members[at]!;
      const square = (this.points[2 * index]! - x) ** 2 + (this.points[2 * index + 1]! - y) ** 2;
      if (count === found.length && square >= squaredDistances[count - 1]!) continue;
      let place = count < found.length ? count++ : count - 1;
      for (; place > 0 && squaredDistances[place - 1]! > square; place--) {
        found[place] = found[place - 1]!;
        squaredDistances[place] = squaredDistances[place - 1]!;
      }
      found[place] = index;
      squaredDistances[place] = square;
    }
    return count;
  }

  private cellOf(index: number): number {
    const column = Math.floor((this.points[2 * index]! - this.left) / this.cellSize);
    const row = Math.floor((this.points[2 * index + 1]! - this.top) / this.cellSize);
    return row * this.columns + column;
  }
}

function clamp(value: number, count: number): number {
  return Math.min(Math.max(value, 0), count - 1);
}
