import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceInfoService } from './service-info.service.js';

const never = new AbortController().signal;

describe('ServiceInfoService', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is healthy when the database answers', async () => {
    const service = new ServiceInfoService({ pingDatabase: () => Promise.resolve(), shutdown: never });
    await expect(service.checkHealth()).resolves.toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('says within two seconds that a database is silent', async () => {
    const service = new ServiceInfoService({ pingDatabase: () => new Promise(() => undefined), shutdown: never });
    const answer = expect(service.checkHealth()).rejects.toMatchObject({ code: 'service-unavailable' });
    await vi.advanceTimersByTimeAsync(2_000);
    await answer;
  });

  it('is not healthy any more once the shutdown has begun', async () => {
    const service = new ServiceInfoService({ pingDatabase: () => Promise.resolve(), shutdown: AbortSignal.abort() });
    await expect(service.checkHealth()).rejects.toMatchObject({ code: 'service-unavailable' });
  });
});
