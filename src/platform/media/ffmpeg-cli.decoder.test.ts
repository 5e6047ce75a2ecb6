import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { createVideoDecoder } from './create-video-decoder.js';
import { DecoderFailedError } from './video-decoder.port.js';

const VIDEO = fileURLToPath(new URL('../../../tests/fixtures/golden/dev-a-translate-xy/goal.mp4', import.meta.url));

describe('a system ffmpeg that does not work', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-ffmpeg-'));
    process.env.SECRET_OF_THE_APPLICATION = 'jwt';
    for (const name of ['ffmpeg', 'ffprobe']) {
      const script = `#!/bin/sh\nenv > '${folder}/environment'\necho "$0: error while loading shared libraries" >&2\nexit 127\n`;
      await writeFile(path.join(folder, name), script);
      await chmod(path.join(folder, name), 0o755);
    }
  });
  afterEach(async () => {
    delete process.env.SECRET_OF_THE_APPLICATION;
    await rm(folder, { recursive: true });
  });

  it('is blamed itself, not the video, and is told nothing of the application', async () => {
    const decoder = createVideoDecoder({ logger: silentLogger, ffmpegPath: path.join(folder, 'ffmpeg') });
    const probe = decoder.probe(VIDEO, { signal: AbortSignal.timeout(20_000) });
    await expect(probe).rejects.toBeInstanceOf(DecoderFailedError);
    expect(await readFile(path.join(folder, 'environment'), 'utf8')).not.toContain('SECRET_OF_THE_APPLICATION');
  });
});
