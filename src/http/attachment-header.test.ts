import { describe, expect, it } from 'vitest';
import { attachmentHeader } from './attachment-header.js';

describe('attachmentHeader', () => {
  it.each([
    ['plain.mp4', 'plain.mp4', 'plain.mp4'],
    ['Morning ☀ 1.mp4', 'Morning _ 1.mp4', 'Morning%20%E2%98%80%201.mp4'],
    ['a"b\\c/d:e.mp4', 'a_b_c_d_e.mp4', 'a_b_c_d_e.mp4'],
    ['../../etc/passwd', '__.._etc_passwd', '__.._etc_passwd'],
    ["it's (50%)*.mp4", "it's (50_)_.mp4", 'it%27s%20%2850%25%29_.mp4'],
    ['数据🎬.mp4', '____.mp4', '%E6%95%B0%E6%8D%AE%F0%9F%8E%AC.mp4'],
    ['a; filename=b.exe', 'a; filename=b.exe', 'a%3B%20filename%3Db.exe'],
  ])('carries %j', (name, plain, encoded) => {
    expect(attachmentHeader(name)).toBe(`attachment; filename="${plain}"; filename*=UTF-8''${encoded}`);
  });
});
