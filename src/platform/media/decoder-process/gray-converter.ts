import {
  AV_PIX_FMT_GRAY8,
  AVCOL_RANGE_JPEG,
  SWS_ACCURATE_RND,
  SWS_BILINEAR,
  type AVPixelFormat,
  type SwsFlags,
} from 'node-av/constants';
import { avGetPixFmtName, Frame, SoftwareScaleContext } from 'node-av/lib';
import { LumaConverter, lumaLayout, type LumaPlane } from '../luma.js';
import type { Orientation } from '../orientation.js';
import { DecoderFailedError } from '../video-decoder.port.js';
import { check } from './check.js';

/** Turns decoded frames of any pixel format into upright grey pictures. */
export class GrayConverter {
  private readonly scaler = new SoftwareScaleContext();

  private constructor(private readonly luma: LumaConverter) {}

  static async create(): Promise<GrayConverter> {
    return new GrayConverter(await LumaConverter.create());
  }

  /** @returns row-major, one byte per pixel, full range; valid until the next call */
  convert(frame: Frame, orientation: Orientation): Uint8Array {
    const layout = lumaLayout(avGetPixFmtName(frame.format as AVPixelFormat) ?? '');
    const bytes = frame.data?.[0];
    const stride = frame.linesize[0] ?? 0;
    // A negative stride is a picture stored bottom-up, which the scaler turns over.
    if (!layout || !bytes || stride <= 0) return this.convertColours(frame, orientation);
    const isFullRange = layout.isFullRange || frame.colorRange === AVCOL_RANGE_JPEG;
    const { width, height } = frame;
    return this.luma.toGray({ bytes, stride, width, height, bits: layout.bits, isFullRange }, orientation);
  }

  /** For RGB, palettes and packed formats: FFmpeg computes the grey, with the weights of ITU-R BT.601 as OpenCV does. */
  private convertColours(frame: Frame, orientation: Orientation): Uint8Array {
    const { width, height } = frame;
    const format = frame.format as AVPixelFormat;
    const flags = (SWS_BILINEAR | SWS_ACCURATE_RND) as SwsFlags;
    this.scaler.getContext(width, height, format, width, height, AV_PIX_FMT_GRAY8, flags);
    const gray = new Frame();
    gray.alloc();
    Object.assign(gray, { width, height, format: AV_PIX_FMT_GRAY8 });
    try {
      check(gray.allocBuffer());
      check(this.scaler.scaleFrameSync(gray, frame));
      const bytes = gray.data?.[0];
      if (!bytes) throw new DecoderFailedError('The grey picture has no content');
      const plane: LumaPlane = { bytes, stride: gray.linesize[0] ?? width, width, height, bits: 8, isFullRange: true };
      return this.luma.toGray(plane, orientation);
    } finally {
      gray.free();
    }
  }
}
