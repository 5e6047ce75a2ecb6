/** Red, green, blue; 0-255 each. */
export type Color = readonly [number, number, number];

/**
 * An RGB picture in memory with the few drawing operations the reports need. Coordinates are pixels with centres at
 * integers; whatever lies outside is clipped.
 */
export class Raster {
  /** Row-major, three bytes per pixel. */
  readonly rgb: Uint8Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.rgb = new Uint8Array(width * height * 3);
  }

  fill(color: Color): void {
    this.rectangle(0, 0, this.width, this.height, color);
  }

  rectangle(left: number, top: number, width: number, height: number, color: Color): void {
    const firstColumn = Math.max(0, left);
    const endColumn = Math.min(this.width, left + width);
    const firstRow = Math.max(0, top);
    const endRow = Math.min(this.height, top + height);
    if (firstColumn >= endColumn || firstRow >= endRow) return;
    const start = (firstRow * this.width + firstColumn) * 3;
    const end = (firstRow * this.width + endColumn) * 3;
    for (let at = start; at < end; at += 3) {
      this.rgb[at] = color[0];
      this.rgb[at + 1] = color[1];
      this.rgb[at + 2] = color[2];
    }
    for (let row = firstRow + 1; row < endRow; row++) {
      this.rgb.copyWithin(start + (row - firstRow) * this.width * 3, start, end);
    }
  }

  /** Copies a grey picture so that its upper left corner lies at (left, top). */
  grayPicture(gray: Uint8Array, width: number, height: number, left: number, top: number): void {
    for (let y = 0; y < height; y++) {
      let target = ((top + y) * this.width + left) * 3;
      for (let source = y * width; source < (y + 1) * width; source++) {
        const level = gray[source];
        this.rgb[target++] = level;
        this.rgb[target++] = level;
        this.rgb[target++] = level;
      }
    }
  }

  /** Mixes a colour into one pixel; `opacity` 0-1. */
  blend(x: number, y: number, color: Color, opacity: number): void {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height || opacity <= 0) return;
    const ink = Math.min(1, opacity);
    const paper = 1 - ink;
    const at = (y * this.width + x) * 3;
    this.rgb[at] = this.rgb[at] * paper + color[0] * ink + 0.5;
    this.rgb[at + 1] = this.rgb[at + 1] * paper + color[1] * ink + 0.5;
    this.rgb[at + 2] = this.rgb[at + 2] * paper + color[2] * ink + 0.5;
  }

  /** A line one pixel wide, smoothed: each step along the longer axis shares its ink between two neighbours. */
  line(x0: number, y0: number, x1: number, y1: number, color: Color, opacity: number): void {
    const steep = Math.abs(y1 - y0) > Math.abs(x1 - x0);
    const [a0, b0, a1, b1] = steep ? [y0, x0, y1, x1] : [x0, y0, x1, y1];
    const [startA, startB, endA, endB] = a0 <= a1 ? [a0, b0, a1, b1] : [a1, b1, a0, b0];
    const slope = endA === startA ? 0 : (endB - startB) / (endA - startA);
    for (let a = Math.round(startA); a <= Math.round(endA); a++) {
      const b = startB + slope * (a - startA);
      const below = Math.floor(b);
      const share = b - below;
      const [x, y] = steep ? [below, a] : [a, below];
      this.blend(x, y, color, opacity * (1 - share));
      this.blend(steep ? x + 1 : x, steep ? y : y + 1, color, opacity * share);
    }
  }

  /** A filled circle with a soft edge. */
  dot(centerX: number, centerY: number, radius: number, color: Color, opacity: number): void {
    const reach = Math.ceil(radius + 0.5);
    for (let y = Math.floor(centerY) - reach; y <= Math.ceil(centerY) + reach; y++) {
      for (let x = Math.floor(centerX) - reach; x <= Math.ceil(centerX) + reach; x++) {
        const coverage = radius + 0.5 - Math.hypot(x - centerX, y - centerY);
        this.blend(x, y, color, opacity * Math.min(1, coverage));
      }
    }
  }
}
