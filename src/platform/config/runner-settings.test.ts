import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './load-config.js';

const load = (env: Record<string, string>) => loadConfig({ env, cwd: '/somewhere', readDotenv: false });

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const GPU = { name: 'gpu-1', kind: 'fastapi', url: 'http://gpu-1:8000' };
const runners = (...list: object[]) => ({ RUNNERS: JSON.stringify(list) });

describe('runners in the settings', () => {
  it('are read from a list, whose gaps are filled', () => {
    const more = { name: 'triton', kind: 'kserve', url: 'grpc://triton:8001', token: 't', slots: 2, models: ['cns'] };
    expect(load(runners(GPU, more)).runners).toEqual([{ ...GPU, token: null, slots: null, models: null }, more]);
  });

  it('may be one FastAPI server by its host', () => {
    expect(load({ FASTAPI_HOST: 'gpu' }).runners).toEqual([
      { name: 'fastapi', kind: 'fastapi', url: 'http://gpu:8000', token: null, slots: null, models: null },
    ]);
    expect(load({ FASTAPI_HOST: '::1', FASTAPI_PORT: '9000' }).runners[0].url).toBe('http://[::1]:9000');
    expect(load({ FASTAPI_HOST: 'gpu', ...runners(GPU) }).runners.map(({ name }) => name)).toEqual([
      'fastapi',
      'gpu-1',
    ]);
  });

  it('take the place of the engine, unless it is wanted too', () => {
    expect(load({}).hasEmbeddedEngine).toBe(true);
    expect(load(runners(GPU)).hasEmbeddedEngine).toBe(false);
    expect(load({ ...runners(GPU), EMBEDDED_ENGINE: 'on' }).hasEmbeddedEngine).toBe(true);
    expect(load({ EMBEDDED_ENGINE: 'off' }).hasEmbeddedEngine).toBe(false);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['no JSON', { RUNNERS: 'gpu-1' }, /^RUNNERS: use a list in JSON/],
    ['no list', { RUNNERS: '{}' }, /^RUNNERS: use a list in JSON/],
    ['a name twice', runners(GPU, GPU), /^RUNNERS: each name can be used once/],
    ['the name of the engine', runners({ ...GPU, name: 'embedded' }), /^RUNNERS: the name "embedded"/],
    ['an unknown field', runners({ ...GPU, port: 1 }), /^RUNNERS: /],
    ['a scheme of another kind', runners({ ...GPU, url: 'grpc://gpu:1' }), /^RUNNERS: .*http:\/\//],
    ['credentials in the URL', runners({ ...GPU, url: 'http://me:secret@gpu' }), /^RUNNERS: .*token/],
    ['no slots', runners({ ...GPU, slots: 0 }), /^RUNNERS: /],
    ['a host that is none', { FASTAPI_HOST: 'http://gpu/x' }, /^FASTAPI_HOST: must be the name or address of a host/],
    ['a name that the host has', { FASTAPI_HOST: 'gpu', ...runners({ ...GPU, name: 'fastapi' }) }, /^FASTAPI_HOST: /],
    ['another word for the engine', { EMBEDDED_ENGINE: 'maybe' }, /^EMBEDDED_ENGINE: use auto, on or off/],
  ])('are refused with %s', (_, env, message) => {
    const [problem, ...more] = problemsOf(env);
    expect(problem).toMatch(message);
    expect(more).toEqual([]);
  });

  it('never show a token in what is wrong with them', () => {
    expect(problemsOf(runners({ ...GPU, token: 'hidden-token', slots: 0 })).join()).not.toContain('hidden-token');
  });
});
