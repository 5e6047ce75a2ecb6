import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMultipart, type MultipartBody } from './multipart.js';

describe('a multipart form', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'multipart-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const fileOf = async (name: string, content: Buffer): Promise<string> => {
    const file = path.join(folder, name);
    await writeFile(file, content);
    return file;
  };

  it('is encoded as browsers do it, byte for byte', async () => {
    const content = Buffer.from([0, 255, 13, 10, 45, 45, 0]);
    const file = await fileOf('video.mp4', content);
    const body = await openMultipart({ name: 'Grüße "1"', type: undefined }, 'content', {
      path: file,
      filename: 'ä "b"\r\n.mp4',
      contentType: 'video/mp4',
    });
    const bytes = await readAll(body);
    await body.close();
    const boundary = body.contentType.replace('multipart/form-data; boundary=', '');
    const expected = [
      `--${boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\nGrüße "1"\r\n`,
      `--${boundary}\r\nContent-Disposition: form-data; name="content"; filename="ä %22b%22%0D%0A.mp4"\r\n`,
      'Content-Type: video/mp4\r\n\r\n',
      content,
      `\r\n--${boundary}--\r\n`,
    ];
    expect(bytes).toEqual(Buffer.concat(expected.map((part) => Buffer.from(part))));
    expect(bytes.length).toBe(body.contentLength);
  });

  it('streams a file in pieces, says how far it is, and is as long as it said', async () => {
    const size = 3 * 1024 * 1024 + 17;
    const file = await fileOf('large.bin', Buffer.alloc(size, 7));
    const progress: number[] = [];
    const body = await openMultipart({}, 'content', { path: file }, (sent, total) => {
      expect(total).toBe(size);
      progress.push(sent);
    });
    let length = 0;
    let largest = 0;
    for await (const chunk of body.chunks()) {
      length += chunk.length;
      largest = Math.max(largest, chunk.length);
    }
    await body.close();
    expect(length).toBe(body.contentLength);
    expect(largest).toBeLessThan(size / 4);
    expect(progress.at(-1)).toBe(size);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  it('carries an empty file', async () => {
    const body = await openMultipart({}, 'content', { path: await fileOf('empty.bin', Buffer.alloc(0)) });
    expect((await readAll(body)).length).toBe(body.contentLength);
    await body.close();
  });

  it('fails when the file becomes shorter on the way', async () => {
    const file = await fileOf('shrinking.bin', Buffer.alloc(2 * 1024 * 1024));
    const body = await openMultipart({}, 'content', { path: file });
    await truncate(file, 100);
    await expect(readAll(body)).rejects.toThrow(/shrinking\.bin became shorter/);
    await body.close();
  });

  it('says which file is not there', async () => {
    await expect(openMultipart({}, 'content', { path: path.join(folder, 'none.mp4') })).rejects.toThrow(/none\.mp4/);
  });
});

async function readAll(body: MultipartBody): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body.chunks()) chunks.push(chunk);
  return Buffer.concat(chunks);
}
