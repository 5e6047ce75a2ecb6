import { describe, expect, it } from 'vitest';

import { renderVelocityPlot } from './velocity-plot.js';

function plotOf(frames: number[], value: (frame: number, component: number) => number): string {
  const velocity = frames.map((frame) => [0, 1, 2, 3, 4, 5].map((k) => value(frame, k)));
  return renderVelocityPlot({ frames, velocity, title: 'A < B & "C"' });
}

const upTo = (count: number) => Array.from({ length: count }, (_, k) => k);

describe('renderVelocityPlot', () => {
  it('draws six curves with one point per frame', () => {
    const svg = plotOf(upTo(60), (frame, k) => Math.exp(-frame / 20) * (k - 2.5));
    const curves = [...svg.matchAll(/points="([^"]*)"/g)].map((match) => match[1].split(' '));
    expect(curves).toHaveLength(6);
    for (const points of curves) expect(points).toHaveLength(60);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
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
});
