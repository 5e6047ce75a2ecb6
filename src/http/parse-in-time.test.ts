import type { Request, Response } from 'express';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseInTime } from './parse-in-time.js';

const request = {} as Request;
const response = {} as Response;

describe('parseInTime', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('gives up a body that does not come to its end, and does not care for that end any more', () => {
    const done = vi.fn();
    let end: ((error?: unknown) => void) | undefined;
    parseInTime((_request, _response, next) => (end = next), request, response, done);
    vi.advanceTimersByTime(29_000);
    expect(done).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2_000);
    expect(done.mock.calls).toMatchObject([[{ code: 'request-timeout' }]]);
    end?.();
    expect(done).toHaveBeenCalledOnce();
  });

  it('tells the end of a body once, and leaves no timer', () => {
    const done = vi.fn();
    parseInTime((_request, _response, next) => next(), request, response, done);
    expect(done.mock.calls).toEqual([[undefined]]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
