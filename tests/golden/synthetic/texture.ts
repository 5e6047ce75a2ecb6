import { createRandom } from '../../../src/runners/embedded/vision/random.js';

export type TextureKind = 'discs' | 'cells' | 'clouds' | 'marks';

/** Texels along each side; a power of two, so that the texture repeats by masking. */
const SIZE = 2048;
const MASK = SIZE - 1;

/** A square of brightness 0..255 that repeats in both directions. */
export class Texture {
  private readonly texels = new Float32Array(SIZE * SIZE);

  /** @param texelsPerMetre fineness on the surface */
  constructor(
    kind: TextureKind,
    seed: number,
    private readonly texelsPerMetre: number,
  ) {
    const random = createRandom(seed);
    PAINTERS[kind](this.texels, random);
  }

  /** Brightness at a place of the surface, in metres; bilinear. */
  at(x: number, y: number): number {
    const s = x * this.texelsPerMetre;
    const t = y * this.texelsPerMetre;
    const column = Math.floor(s);
    const row = Math.floor(t);
    const right = s - column;
    const down = t - row;
    const upper = (row & MASK) * SIZE;
    const lower = ((row + 1) & MASK) * SIZE;
    const west = column & MASK;
    const east = (column + 1) & MASK;
    const top = this.texels[upper + west] * (1 - right) + this.texels[upper + east] * right;
    const bottom = this.texels[lower + west] * (1 - right) + this.texels[lower + east] * right;
    return top * (1 - down) + bottom * down;
  }
}

const PAINTERS: Record<TextureKind, (texels: Float32Array, random: () => number) => void> = {
  discs: (texels, random) => {
    texels.fill(120);
    for (let disc = 0; disc < 6000; disc++) {
      const radius = 6 + 26 * random() ** 2;
      const [x, y, brightness] = [random() * SIZE, random() * SIZE, 20 + 215 * random()];
      paint(texels, x, y, radius + 1, (dx, dy) => [brightness, Math.min(1, Math.max(0, radius - Math.hypot(dx, dy)))]);
    }
  },
  marks: (texels, random) => {
    texels.fill(150);
    for (let mark = 0; mark < 7000; mark++) {
      const angle = random() * Math.PI;
      const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
      const length = 6 + 26 * random();
      const width = 2 + 7 * random();
      const brightness = 10 + 235 * random();
      paint(texels, random() * SIZE, random() * SIZE, length, (dx, dy) => {
        const along = length - 1 - Math.abs(cosine * dx + sine * dy);
        const across = width - Math.abs(cosine * dy - sine * dx);
        return [brightness, Math.min(1, Math.max(0, Math.min(along, across)))];
      });
    }
  },
  cells: (texels, random) => {
    const grid = 64;
    const pitch = SIZE / grid;
    const seeds = Array.from({ length: grid * grid }, () => ({
      x: random() * pitch,
      y: random() * pitch,
      brightness: 25 + 205 * random(),
    }));
    for (let y = 0; y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) texels[y * SIZE + x] = brightnessOfCell(seeds, grid, pitch, x, y);
    }
  },
  clouds: (texels, random) => {
    let total = 0;
    for (let octave = 0; octave < 5; octave++) {
      const knots = 48 << octave;
      const strength = 0.75 ** octave;
      total += strength;
      addNoise(texels, random, knots, strength);
    }
    // The sum of independent octaves keeps to the middle: stretched, it uses the whole range.
    for (let i = 0; i < texels.length; i++) {
      texels[i] = Math.min(250, Math.max(5, 128 + (texels[i] / total - 0.5) * 520));
    }
  },
};

/** Blends a shape over the texels around a centre; `shape` gives brightness and cover by offset from the centre. */
function paint(
  texels: Float32Array,
  x: number,
  y: number,
  reach: number,
  shape: (dx: number, dy: number) => [number, number],
): void {
  for (let row = Math.ceil(y - reach); row <= y + reach; row++) {
    for (let column = Math.ceil(x - reach); column <= x + reach; column++) {
      const [brightness, cover] = shape(column - x, row - y);
      const index = (row & MASK) * SIZE + (column & MASK);
      texels[index] += (brightness - texels[index]) * cover;
    }
  }
}

function brightnessOfCell(
  seeds: { x: number; y: number; brightness: number }[],
  grid: number,
  pitch: number,
  x: number,
  y: number,
): number {
  const column = Math.floor(x / pitch);
  const row = Math.floor(y / pitch);
  let nearest = Infinity;
  let brightness = 0;
  for (let down = -1; down <= 1; down++) {
    for (let right = -1; right <= 1; right++) {
      const seed = seeds[((row + down + grid) % grid) * grid + ((column + right + grid) % grid)];
      const distance = ((column + right) * pitch + seed.x - x) ** 2 + ((row + down) * pitch + seed.y - y) ** 2;
      if (distance >= nearest) continue;
      nearest = distance;
      brightness = seed.brightness;
    }
  }
  return brightness;
}

/** Smoothly interpolated random values on a grid of `knots` per side. */
function addNoise(texels: Float32Array, random: () => number, knots: number, strength: number): void {
  const values = Float32Array.from({ length: knots * knots }, random);
  const smooth = (share: number): number => share * share * (3 - 2 * share);
  for (let y = 0; y < SIZE; y++) {
    const t = (y * knots) / SIZE;
    const row = Math.floor(t);
    const down = smooth(t - row);
    const upper = row * knots;
    const lower = ((row + 1) % knots) * knots;
    for (let x = 0; x < SIZE; x++) {
      const s = (x * knots) / SIZE;
      const column = Math.floor(s);
      const right = smooth(s - column);
      const next = (column + 1) % knots;
      const top = values[upper + column] * (1 - right) + values[upper + next] * right;
      const bottom = values[lower + column] * (1 - right) + values[lower + next] * right;
      texels[y * SIZE + x] += strength * (top * (1 - down) + bottom * down);
    }
  }
}
