import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import type { App } from './app.js';

/** Names below `objects/videos`, `objects/results`, `objects/checkpoints` and `staging` of the app's data folder. */
export async function storedFiles({
  config,
}: App): Promise<Record<'videos' | 'results' | 'checkpoints' | 'staging', string[]>> {
  return {
    videos: await filesBelow(path.join(config.dataDir, 'objects', 'videos')),
    results: await filesBelow(path.join(config.dataDir, 'objects', 'results')),
    checkpoints: await filesBelow(path.join(config.dataDir, 'objects', 'checkpoints')),
    staging: await filesBelow(path.join(config.dataDir, 'staging')),
  };
}

/** Every video has its file, and nothing else lies there. */
export async function expectFilesToMatchRows(app: App): Promise<void> {
  const rows = await app.sql<{ storage_key: string }>(
    'SELECT DISTINCT storage_key FROM videos WHERE storage_key IS NOT NULL',
  );
  const { videos } = await storedFiles(app);
  expect(videos.sort()).toEqual(rows.map((row) => path.basename(row.storage_key)).sort());
}

async function filesBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
