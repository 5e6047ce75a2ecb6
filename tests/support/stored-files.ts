import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { App } from './app.js';

/** Paths below `objects/videos`, `objects/results` and `staging` of the app's data folder. */
export async function storedFiles({
  config,
}: App): Promise<{ videos: string[]; results: string[]; staging: string[] }> {
  return {
    videos: await filesBelow(path.join(config.dataDir, 'objects', 'videos')),
    results: await filesBelow(path.join(config.dataDir, 'objects', 'results')),
    staging: await filesBelow(path.join(config.dataDir, 'staging')),
  };
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
