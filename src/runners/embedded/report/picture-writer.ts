import type { Detector } from '../../detector.js';
import type { PictureSink } from '../../result/result-archive.js';
import type { StepResult } from '../pipeline.js';
import { createCorrespondencePainter } from './correspondence-picture.js';
import type { GrayImage } from '../vision/features.js';
import { createJpegEncoder } from '../../../platform/media/jpeg-encoder.js';

/** Puts pictures of processed frames into the archive, one at a time. */
export interface PictureWriter {
  /** Writes `images/frame-000012.jpg`. Resolves when the archive took it, so at most one picture is in memory. */
  write(frame: GrayImage & { index: number }, step: StepResult): Promise<void>;
  dispose(): void;
}

export async function createPictureWriter(options: {
  sink: PictureSink;
  goal: GrayImage & { index: number };
  detector: Detector;
}): Promise<PictureWriter> {
  const { sink, goal, detector } = options;
  const encoder = await createJpegEncoder();
  const painter = createCorrespondencePainter({ goal: { ...goal, frame: goal.index }, detector });
  return {
    async write(frame, step) {
      const picture = painter.paint({ currentFrame: frame.index, current: frame, step });
      const name = `images/frame-${String(frame.index).padStart(6, '0')}.jpg`;
      await sink.addStored(name, encoder.encode(picture));
    },
    dispose: () => {
      encoder.dispose();
    },
  };
}
