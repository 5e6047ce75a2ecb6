import { describe, expect, it } from 'vitest';

import { renderVelocityPlot } from './velocity-plot.js';

function plotOf(frames: number[], value: (frame: number, component: number) => number): string {
  const velocity = frames.map((frame) => [0, 1, 2, 3, 4, 5].map((k) => value(frame, k)));
  const featureErrorPx = frames.map((frame) => Math.abs(value(frame, 0)));
  return renderVelocityPlot({ frames, velocity, featureErrorPx, title: 'A < B & "C"' });
}

const upTo = (count: number) => Array.from({ length: count }, (_, k) => k);

describe('renderVelocityPlot', () => {
  it('draws six components and the feature error with one point per frame', () => {
    const svg = plotOf(upTo(60), (frame, k) => Math.exp(-frame / 20) * (k - 2.5));
    const curves = [...svg.matchAll(/points="([^"]*)"/g)].map((match) => match[1].split(' '));
    expect(curves).toHaveLength(7);
    for (const points of curves) expect(points).toHaveLength(60);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('breaks its curves at frames without a velocity, and marks those', () => {
    const row = [1, 2, 3, 4, 5, 6];
    const svg = renderVelocityPlot({
      frames: upTo(7),
      velocity: [row, row, null, null, row, row, row],
      featureErrorPx: [5, 4, null, 3, 2, 1, 0],
      title: '',
    });
    const lengths = [...svg.matchAll(/points="([^"]*)"/g)].map((match) => match[1].split(' ').length);
    expect(lengths).toEqual([...Array.from({ length: 6 }, () => [2, 3]).flat(), 2, 4]);
    expect(svg.match(/<path d="M\d+ \d+v-7M\d+ \d+v-7"/g)).toHaveLength(3);
    expect(svg).toContain('2 frames without a velocity');
    expect(plotOf(upTo(7), () => 1)).not.toContain('without a velocity');
  });

  it('escapes its title', () => {
    expect(plotOf([0, 1], () => 0)).toContain('A &lt; B &amp; &quot;C&quot;');
  });

  it.each([
    ['no frame', []],
    ['one frame', [7]],
    ['two frames', [7, 9]],
  ])('draws %s', (_, frames) => {
    for (const value of [0, 1e-12, 1234.5, -3]) {
      expect(plotOf(frames, () => value)).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  it('stays small for a long video and keeps its peaks', () => {
    const peak = 54_321;
    const svg = plotOf(upTo(100_000), (frame, k) => (frame === peak && k === 0 ? 8 : Math.sin(frame)));
    expect(svg.length).toBeLessThan(500_000);
    const heights = [...svg.matchAll(/points="([^"]*)"/g)][0][1].split(' ').map((point) => Number(point.split(',')[1]));
    expect(Math.min(...heights)).toBeLessThan(Math.max(...heights) - 150);
  });

  it('stays small for a long video with many gaps', () => {
    const frames = upTo(100_000);
    const row = (frame: number) => Array.from({ length: 6 }, () => Math.sin(frame));
    const velocity = frames.map((frame) => (frame % 2 === 0 ? null : row(frame)));
    const featureErrorPx = frames.map((frame) => (frame % 2 === 0 ? null : 3));
    const svg = renderVelocityPlot({ frames, velocity, featureErrorPx, title: '' });
    expect(svg.length).toBeLessThan(500_000);
    expect(svg).toContain('50000 frames without a velocity');
  });
});
