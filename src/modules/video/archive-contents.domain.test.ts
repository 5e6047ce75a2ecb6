import { describe, expect, it, vi } from 'vitest';
import { isLitter, planVideos, sortNaturally, type InspectedEntry } from './archive-contents.domain.js';

const image = (path: string, width = 32): InspectedEntry<string> => ({
  entry: path,
  path,
  kind: 'image',
  header: { format: 'png', width, height: 24 },
});
const video = (path: string): InspectedEntry<string> => ({ entry: path, path, kind: 'video' });

describe('planVideos', () => {
  it('makes a video of each video and one of each folder of pictures, in natural order', () => {
    const plan = planVideos([
      image('right/10.png'),
      image('right/9.png'),
      video('clip10.mp4'),
      image('left/1.png'),
      video('clip9.mp4'),
      image('right/deep/1.png'),
      image('top.png'),
    ]);
    expect(plan).toEqual([
      expect.objectContaining({ path: '', kind: 'sequence', frames: ['top.png'] }),
      { path: 'clip9.mp4', kind: 'video', entry: 'clip9.mp4' },
      { path: 'clip10.mp4', kind: 'video', entry: 'clip10.mp4' },
      expect.objectContaining({ path: 'left/', kind: 'sequence', frames: ['left/1.png'] }),
      expect.objectContaining({ path: 'right/', frames: ['right/9.png', 'right/10.png'] }),
      expect.objectContaining({ path: 'right/deep/', frames: ['right/deep/1.png'] }),
    ]);
  });

  it('names the first picture that does not fit in with its folder', () => {
    const misfit = planVideos([image('a/1.png'), image('a/3.png', 40), image('a/2.png'), image('b/1.png', 40)]);
    expect(misfit).toMatchObject({ path: 'a/3.png', expected: { width: 32 }, found: { width: 40 } });
  });
});

describe('sortNaturally', () => {
  const sorted = (paths: readonly string[]) => sortNaturally(paths, (path) => path);

  it.each([
    [['a1', 'a2', 'a10', 'a10b']],
    [['frame-001', 'frame-002', 'frame-010', 'frame-100']],
    [['1', '01', '2']],
    [['a', 'a/b', 'a-b', 'b']],
    [['99999999999999999998', '99999999999999999999', '100000000000000000000']],
    [['Alpha', 'beta', 'Gamma']],
    [['A', 'a']],
    [['a1', 'a-b']],
    [['!', '1', 'a']],
    [['a/2/b', 'a/10/b', 'a2/b']],
  ])('orders %j', (expected) => {
    const given = [...expected].reverse();
    expect(sorted(given)).toEqual(expected[0] === '1' ? ['01', '1', '2'] : expected);
  });

  it('is a total order', () => {
    const names = ['a', 'A', 'a1', 'a01', 'a/1', 'a/', 'a-1', '1a', '', '/', 'ä', 'a10', 'a9z'];
    const order = sorted(names);
    for (const [index, a] of order.entries()) {
      for (const b of order.slice(index + 1)) {
        expect([sorted([a, b]), sorted([b, a])], `${a} ${b}`).toEqual([
          [a, b],
          [a, b],
        ]);
      }
    }
  });

  it('looks at each path once, however many there are to be compared', () => {
    const paths = Array.from({ length: 1000 }, (_, index) => `${'a1'.repeat(500)}${(index * 7) % 1000}`);
    const pathOf = vi.fn((path: string) => path);
    expect(sortNaturally(paths, pathOf)[10]).toBe(`${'a1'.repeat(500)}10`);
    expect(pathOf).toHaveBeenCalledTimes(paths.length);
  });
});

describe('isLitter', () => {
  it('knows what operating systems leave behind', () => {
    const litter = ['__MACOSX/a/._b.png', '.DS_Store', 'a/.DS_Store', 'a/Thumbs.db', 'a/._1.png', 'desktop.ini'];
    expect(litter.filter((path) => !isLitter(path))).toEqual([]);
    expect(['a.png', 'DS_Store', 'a/__MACOSX.png', '._a/b.png'].filter(isLitter)).toEqual([]);
  });
});
