import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../tests/support/silent-logger.js';
import { AppError } from '../../platform/app-error.js';
import { withoutKey } from '../../platform/once.js';
import { Permits } from '../../platform/permits.js';
import { LocalObjectStore } from '../../platform/storage/local.store.js';
import type { StoredFileRepository } from '../stored-file/stored-file.repository.js';
import { StoredFileService } from '../stored-file/stored-file.service.js';
import { VideoService } from './video.service.js';

type Deps = ConstructorParameters<typeof VideoService>[0];

const INFO = {
  container: 'mp4',
  codec: 'h264',
  width: 8,
  height: 8,
  frameCount: 2,
  frameRate: 25,
  durationSeconds: 0.08,
};

describe('VideoService.add', () => {
  let folder: string;
  let store: LocalObjectStore;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'infernode-video-'));
    store = await LocalObjectStore.open(folder);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** @param transact stands for the transaction that books the video */
  async function add(transact: () => Promise<never>, signal: AbortSignal, objects: LocalObjectStore = store) {
    const files = {
      reserve: () => Promise.resolve({ reservationId: 'r', storageKey: 'videos/a' }),
      release: () => Promise.resolve(),
      forget: () => Promise.resolve(true),
    } as unknown as StoredFileRepository;
    const service = new VideoService({
      uow: { run: transact } as unknown as Deps['uow'],
      repositories: {} as Deps['repositories'],
      files: new StoredFileService({ store: objects, repositories: { files }, logger: silentLogger }),
      archives: {} as Deps['archives'],
      decoder: { probe: () => Promise.resolve(INFO) } as unknown as Deps['decoder'],
      probes: new Permits(1),
      framesPerCredit: 25,
    });
    const content = await store.stage(Readable.from([Buffer.from('video')]), {
      signal: new AbortController().signal,
      maxBytes: 10,
    });
    return service.add({ userId: 'u', datasetId: 'd', name: 'n', type: 'video', content }, withoutKey(), signal);
  }

  async function storedVideos(): Promise<number> {
    let count = 0;
    for await (const object of store.list('videos/')) count += object.bytes > 0 ? 1 : 0;
    return count;
  }

  it('keeps the file when nobody knows whether it was booked, also when the client has hung up meanwhile', async () => {
    const client = new AbortController();
    const adding = add(() => {
      client.abort(new Error('hung up'));
      return Promise.reject(new Error('Connection terminated unexpectedly'));
    }, client.signal);
    await expect(adding).rejects.toThrow('Connection terminated');
    expect(await storedVideos()).toBe(1);
  });

  it('keeps no file of a refused booking', async () => {
    const refusal = new AppError('insufficient-credits', 'Too little.');
    await expect(add(() => Promise.reject(refusal), new AbortController().signal)).rejects.toBe(refusal);
    expect(await storedVideos()).toBe(0);
  });

  it('keeps no file of a client that hung up before the booking', async () => {
    const neverBooked = () => Promise.reject(new Error('not to be tried'));
    await expect(add(neverBooked, AbortSignal.abort(new Error('hung up')))).rejects.toThrow('hung up');
    expect(await storedVideos()).toBe(0);
  });

  it('tells the first error, not that of the cleaning', async () => {
    const refusal = new AppError('insufficient-credits', 'Too little.');
    const broken = Object.assign(Object.create(store) as LocalObjectStore, {
      delete: () => Promise.reject(new Error('the disk is gone')),
    });
    await expect(add(() => Promise.reject(refusal), new AbortController().signal, broken)).rejects.toBe(refusal);
  });
});
