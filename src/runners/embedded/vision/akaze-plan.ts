/** Blur of the first level, pixels. */
export const FIRST_SIGMA = 1.6;
const OCTAVES = 4;
const LEVELS_PER_OCTAVE = 4;
/** Derivatives span this share of a level's blur to either side. */
const DERIVATIVE_FACTOR = 1.5;
/** Half the diagonal of a descriptor, in steps of its samples. */
const DESCRIPTOR_REACH = Math.fround(10 * Math.sqrt(2));
/** An octave that is smaller holds no keypoints worth having. */
const MINIMUM_WIDTH = 80;
const MINIMUM_HEIGHT = 40;
/** Longest time one explicit diffusion step may take without becoming unstable. */
const STABLE_TIME = 0.25;

/** One image of the scale space. */
export interface AkazeLevel {
  octave: number;
  width: number;
  height: number;
  /** Pixels of the frame per pixel of this level. */
  ratio: number;
  /** Blur in pixels of the frame. */
  sigma: number;
  /** Distance of the pixels a derivative compares, and of a descriptor's samples; pixels of this level. */
  step: number;
  /** Pixels at the edge that hold no keypoint, so that its descriptor lies within the image. */
  border: number;
  /** Times of the diffusion steps that lead here from the level below; none for the first. */
  times: number[];
}

/**
 * The levels in which a frame of this size can have keypoints, as OpenCV's `AKAZE_create()` with default parameters makes
 * them; levels above the last such one are left out. Numbers are rounded to float32 where OpenCV does.
 */
export function planLevels(width: number, height: number): AkazeLevel[] {
  const levels: AkazeLevel[] = [];
  let previousTime = 0;
  for (let octave = 0; octave < OCTAVES; octave++) {
    const ratio = 2 ** octave;
    const size = { width: Math.floor(width / ratio), height: Math.floor(height / ratio) };
    if (octave > 0 && (size.width < MINIMUM_WIDTH || size.height < MINIMUM_HEIGHT)) break;
    for (let sublevel = 0; sublevel < LEVELS_PER_OCTAVE; sublevel++) {
      const sigma = Math.fround(Math.fround(FIRST_SIGMA) * Math.fround(2 ** (sublevel / LEVELS_PER_OCTAVE + octave)));
      const step = Math.round((sigma * DERIVATIVE_FACTOR) / ratio);
      const time = Math.fround(0.5 * Math.fround(sigma * sigma));
      const times = levels.length === 0 ? [] : diffusionTimes(Math.fround(time - previousTime));
      levels.push({ octave, ...size, ratio, sigma, step, border: Math.round(DESCRIPTOR_REACH * step) + 1, times });
      previousTime = time;
    }
  }
  return levels.slice(0, levels.findLastIndex(hasRoom) + 1);
}

function hasRoom({ width, height, border }: AkazeLevel): boolean {
  return Math.min(width, height) > 2 * border;
}

/**
 * Fewest explicit steps that diffuse for `time` altogether and are stable as a whole, in an order that keeps rounding
 * errors small (Grewenig, Weickert, Bruhn, "From box filtering to fast explicit diffusion", DAGM 2010).
 */
function diffusionTimes(time: number): number[] {
  const count = Math.ceil(Math.fround(Math.sqrt((3 * time) / STABLE_TIME + 0.25)) - 0.5);
  const scale = (3 * time) / (STABLE_TIME * count * (count + 1));
  const ordered = Array.from({ length: count }, (_, k) => {
    const cosine = Math.cos((Math.PI * (2 * k + 1)) / (4 * count + 2));
    return Math.fround((scale * STABLE_TIME) / 2 / (cosine * cosine));
  });
  return orderOfSteps(count).map((index) => ordered[index]!);
}

/** Multiples of half the count modulo a prime: neighbours in time end up far apart in size. */
function orderOfSteps(count: number): number[] {
  const stride = Math.floor(count / 2);
  let prime = count + 1;
  while (!isPrime(prime)) prime++;
  const multiples = Array.from({ length: prime }, (_, k) => (((k + 1) * stride) % prime) - 1);
  return multiples.filter((index) => index >= 0 && index < count);
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return number > 1;
}
