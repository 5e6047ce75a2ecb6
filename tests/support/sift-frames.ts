import { createVideoDecoder } from '../../src/platform/media/create-video-decoder.js';
import { createRandom } from '../../src/runners/embedded/vision/random.js';
import { loadGoldenCase } from './golden-case.js';
import { silentLogger } from './silent-logger.js';
import type { GrayFrame } from './textured-frame.js';

/** Frames whose keypoints OpenCV found: of each golden case, cut to sizes of all kinds, and textured noise. */
export async function siftFrames(): Promise<Map<string, GrayFrame>> {
  const [plain, busy, mixed] = await Promise.all([
    goldenFrame('dev-a-translate-xy', 30),
    goldenFrame('dev-b-roll', 15),
    goldenFrame('dev-c-mixed6dof', 45),
  ]);
  return new Map([
    ['dev-a-translate-xy', plain],
    ['dev-b-roll', busy],
    ['dev-c-mixed6dof', mixed],
    ['odd-size', cut(busy, 5, 3, 317, 233)],
    ['portrait', cut(mixed, 100, 0, 271, 480)],
    ['64x64', cut(busy, 300, 200, 64, 64)],
    ['flat', cut(busy, 0, 60, 640, 17)],
    ['noise', texturedNoise(201, 157)],
  ]);
}

async function goldenFrame(name: string, index: number): Promise<GrayFrame> {
  const { currentVideoPath } = await loadGoldenCase(name);
  const decoder = createVideoDecoder({ logger: silentLogger });
  const signal = AbortSignal.timeout(60_000);
  for await (const frame of decoder.frames(currentVideoPath, { start: index, end: index, step: 1 }, { signal })) {
    return { gray: frame.gray, width: frame.width, height: frame.height };
  }
  throw new Error(`${name} has no frame ${index}`);
}

function cut({ gray, width: pitch }: GrayFrame, left: number, top: number, width: number, height: number): GrayFrame {
  const part = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const from = (top + row) * pitch + left;
    part.set(gray.subarray(from, from + width), row * width);
  }
  return { gray: part, width, height };
}

/** White noise whose every pixel is the mean of its 3 x 3 neighbourhood, stretched to the grey range. */
function texturedNoise(width: number, height: number): GrayFrame {
  const random = createRandom(7);
  const noise = Float64Array.from({ length: (width + 2) * (height + 2) }, () => random());
  const gray = Uint8Array.from({ length: width * height }, (_, i) => {
    const corner = Math.floor(i / width) * (width + 2) + (i % width);
    let sum = 0;
    for (let dy = 0; dy < 3; dy++) for (let dx = 0; dx < 3; dx++) sum += noise[corner + dy * (width + 2) + dx];
    return Math.round(Math.min(Math.max((sum - 4.5) * 60 + 128, 0), 255));
  });
  return { gray, width, height };
}
