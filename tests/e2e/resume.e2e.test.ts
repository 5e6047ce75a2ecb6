import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { killHard } from '../support/server-process.js';
import { until } from '../support/wait.js';
import { readZip } from '../support/zip-content.js';
import { ApiUser } from './support/api-user.js';
import { examineJob } from './support/evidence.js';
import { withInstallation, type Installation } from './support/installation.js';
import { parametersOf, uploadScene } from './support/servo-scene.js';

const PAID = { INFERENCE_FRAMES_PER_CREDIT: '10' };
const COST = 3;
const FRAMES = 30;
const TEST_MS = 300_000;

interface Kept {
  rows: number;
  /** Rows of the longest piece. */
  longest: number;
}

/** How far the job has come for good. */
async function keptOf(installation: Installation): Promise<Kept> {
  const [kept] = await installation.query<Kept>(
    `SELECT coalesce(max(first_row + row_count), 0)::int AS rows, coalesce(max(row_count), 0)::int AS longest
     FROM inference_checkpoint_pieces`,
  );
  return kept;
}

describe('kill -9 of the engine, again and again', () => {
  it(
    'costs each time no more than the work since the last checkpoint, and changes nothing of the result',
    () =>
      withInstallation({ settings: PAID }, async (installation) => {
        const server = await installation.start();
        const user = await ApiUser.register(server.baseUrl);
        const scene = await uploadScene(user, 'dev-a-translate-xy');
        // The slowest of the detectors.
        const parameters = parametersOf(scene, { endFrame: FRAMES - 1, detector: 'KAZE', visualize: 'all' });
        const [jobId] = await user.submit(scene.datasetId, parameters);

        const kept: Kept[] = [{ rows: 0, longest: 0 }];
        for (const attempt of [1, 2]) {
          const before = kept[kept.length - 1].rows;
          await until(async () => (await keptOf(installation)).rows > before, {
            deadline: 90_000,
            what: 'a checkpoint',
          });
          killHard((await server.findChild('engine-process')).pid);
          await until(async () => (await user.status(jobId)).attempt > attempt, {
            deadline: 30_000,
            what: 'an attempt',
          });
          kept.push(await keptOf(installation));
        }
        const result = await user.result(jobId, TEST_MS);
        const { attempts } = await examineJob(installation, user, jobId, { cost: COST });
        expect(attempts).toEqual(['FAILED', 'FAILED', 'COMPLETED']);
        const resumed = await installation.query<{ rows: number }>(
          'SELECT resumed_rows AS rows FROM inference_attempts ORDER BY number',
        );
        // Every row that was kept is taken over; what is kept later belongs to the attempt itself.
        expect(resumed[0].rows).toBe(0);
        for (const [number, { rows, longest }] of [...kept.entries()].slice(1)) {
          expect(resumed[number].rows).toBeGreaterThan(resumed[number - 1].rows);
          expect(rows - resumed[number].rows).toBeLessThanOrEqual(longest);
        }

        const [undisturbed] = await user.submit(scene.datasetId, parameters);
        const expected = await user.result(undisturbed, TEST_MS);
        expect(result.velocity).toEqual(expected.velocity);
        expect(result.frames).toEqual(expected.frames);
        const [disturbed, whole] = [await contentOf(user, jobId), await contentOf(user, undisturbed)];
        const pictures = [...whole.keys()].filter((name) => name.startsWith('images/'));
        expect(pictures).toHaveLength(FRAMES);
        expect([...disturbed.keys()]).toEqual([...whole.keys()]);
        for (const name of pictures) expect(disturbed.get(name)?.equals(whole.get(name) ?? Buffer.of())).toBe(true);
        expect(await installation.files('staging')).toEqual([]);
        expect((await installation.files('objects')).filter((file) => file.includes('checkpoints'))).toEqual([]);
      }),
    TEST_MS,
  );
});

async function contentOf(user: ApiUser, jobId: string): Promise<Map<string, Buffer>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'resume-zip-'));
  try {
    const file = path.join(folder, 'result.zip');
    await writeFile(file, await user.archive(jobId));
    return await readZip(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
