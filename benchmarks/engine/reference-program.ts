import { spawn } from 'node:child_process';
import path from 'node:path';
import { z } from 'zod';
import type { Policy } from '../../src/runners/runner.port.js';
import type { GoldenCase } from './golden-folder.js';
import { watchMemory } from './memory-watch.js';

const speedSchema = z.object({ job_fps: z.number(), frames: z.int() });

export interface ReferenceSample {
  /** Decoding, goal and all frames; without the start of the interpreter. */
  framesPerSecond: number;
  peakBytes: number;
}

export interface ReferenceOptions {
  /** Where `run_case.py` lies. */
  folder: string;
  python: string;
  /** Weights of the policy cns; undefined leaves the choice to the program. */
  weights: string | undefined;
}

/** The published pipeline in Python (`run_case.py`), on one thread. It is no part of this project: its folder is given. */
export class ReferenceProgram {
  constructor(private readonly options: ReferenceOptions) {}

  /** One whole job. @throws Error when it fails */
  async measure(golden: GoldenCase, detector: string, policy: Policy): Promise<ReferenceSample> {
    const { text, peakBytes } = await this.run(golden, detector, policy, ['--bench']);
    return { framesPerSecond: speedSchema.parse(JSON.parse(text)).job_fps, peakBytes };
  }

  /** Velocities with exact matching, one row per frame. @throws Error when it fails */
  async velocities(golden: GoldenCase, detector: string, policy: Policy): Promise<number[][]> {
    const { text } = await this.run(golden, detector, policy, ['--front', 'robust']);
    return z.array(z.array(z.number()).length(6)).parse((JSON.parse(text) as Record<string, unknown>)[policy]);
  }

  private async run(golden: GoldenCase, detector: string, policy: Policy, options: string[]) {
    const { folder, python, weights } = this.options;
    const script = path.join(folder, 'run_case.py');
    const weightWords = weights === undefined ? [] : ['--weights', weights];
    const words = [
      script,
      '--case',
      golden.folder,
      '--detector',
      detector,
      '--engine',
      policy,
      ...weightWords,
      ...options,
    ];
    const child = spawn(python, words, {
      env: { ...process.env, OMP_NUM_THREADS: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const memory = watchMemory(() => (child.pid === undefined ? [] : [child.pid]));
    let text = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.stderr.setEncoding('utf8').on('data', (part: string) => (errors = (errors + part).slice(-2000)));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    }).finally(() => memory.stop());
    if (code !== 0) throw new Error(`The reference program ended with ${code}: ${errors}`);
    return { text, peakBytes: memory.peakBytes() };
  }
}
