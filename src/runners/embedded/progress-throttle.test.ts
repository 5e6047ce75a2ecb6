import { describe, expect, it } from 'vitest';

import type { RunProgress } from '../runner.port.js';
import { throttleProgress } from './progress-throttle.js';

describe('throttleProgress', () => {
  const countsReported = (everyMs: number, processed: number[]) => {
    const seen: RunProgress[] = [];
    const report = throttleProgress(everyMs, (progress) => seen.push(progress));
    for (const count of processed) report({ processed: count, total: 3 });
    return seen.map((progress) => progress.processed);
  };

  it('passes the first and the last report, the last one once', () => {
    expect(countsReported(60_000, [0, 1, 2, 3, 3])).toEqual([0, 3]);
  });

  it('passes everything when there is no wait', () => {
    expect(countsReported(0, [0, 1, 2, 3])).toEqual([0, 1, 2, 3]);
  });
});
