import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VideoDecoder } from '../../../src/platform/media/video-decoder.port.js';
import type { EmbeddedRunner } from '../../../src/runners/embedded/embedded.runner.js';
import { CNS_MODEL, type RunInput } from '../../../src/runners/runner.port.js';
import { processTree } from '../process-tree.js';
import { Dice, mutate, type Seed } from './mutations.js';

export interface CampaignOptions {
  count: number;
  seed: number;
  /** Number of the first mutant; each depends on the seed and its number only. */
  first?: number;
  /** A folder of its own; what is worth keeping stays in `findings` below it. */
  folder: string;
  decoder: Pick<VideoDecoder, 'probe'>;
  runner: Pick<EmbeddedRunner, 'run' | 'pids'>;
  /** A mutant that takes longer has hung. */
  deadlineMs: number;
  onProgress?: (done: number) => void;
}

export interface CampaignReport {
  /** How often each outcome came: of the probe, and of the job. */
  probe: Record<string, number>;
  job: Record<string, number>;
  /** What must not happen, each with the number and the making of its mutant. */
  findings: string[];
  before: Footprint;
  after: Footprint;
}

/** What could leak. Counts include the engines and their decoders. */
export interface Footprint {
  processes: number;
  openFiles: number;
  /** Of this process and of the largest engine. */
  ownRssMiB: number;
  engineRssMiB: number;
  /** Files in the folder that jobs write into. */
  scratchFiles: number;
}

const ROOT = new URL('../../fixtures/', import.meta.url);
/** Mutants run before the footprint is taken for the first time: caches are filled, the engine is there. */
const WARM_UP = 5;

/** The videos that mutants are made of: every container and codec among the fixtures. */
export function fuzzSeeds(): Seed[] {
  const folders = ['media/', 'servo/', 'golden/dev-b-roll/'];
  return folders.flatMap((folder) =>
    readdirSync(new URL(folder, ROOT))
      .filter((name) => /\.(mp4|mov|mkv|webm|avi|mpg|ts|flv|ogv|wmv|m4a)$/.test(name))
      .sort()
      .map((name) => ({ name: folder + name, bytes: readFileSync(new URL(folder + name, ROOT)) })),
  );
}

/**
 * Mutates videos and puts each through a probe, as an upload does, and through a job. Allowed are results and errors
 * that say what is wrong with the file or that the decoder failed on it. Findings are: any other error, a job or probe
 * that ends after the deadline only, an engine that dies, and processes, files or memory left over at the end.
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const { count, first = 0, folder } = options;
  const seeds = fuzzSeeds();
  const report: CampaignReport = { probe: {}, job: {}, findings: [], before: EMPTY, after: EMPTY };
  const scratch = join(folder, 'scratch');
  await mkdir(scratch, { recursive: true });
  for (let position = 0; position < count; position++) {
    if (position === Math.min(WARM_UP, count - 1)) report.before = await footprint(options, scratch);
    await tryMutant(first + position, { ...options, seeds, scratch, report });
    options.onProgress?.(position + 1);
  }
  report.after = await settledFootprint(options, scratch, report.before);
  report.findings.push(...leaks(report.before, report.after));
  return report;
}

interface Trial extends CampaignOptions {
  seeds: Seed[];
  scratch: string;
  report: CampaignReport;
}

async function tryMutant(number: number, trial: Trial): Promise<void> {
  const { seed, seeds, scratch, report, folder } = trial;
  const dice = new Dice(seed, number);
  const { bytes, description } = mutate(seeds, dice);
  const path = join(folder, `mutant-${trial.first ?? 0}`);
  await writeFile(path, bytes);
  const found = (what: string) => report.findings.push(`mutant ${number} (${description}): ${what}`);

  const probe = await outcomeOf((signal) => trial.decoder.probe(path, { signal }), trial.deadlineMs);
  const job = await outcomeOf(
    (signal) => trial.runner.run(jobOn(path, scratch, dice), { signal, onProgress: () => undefined }),
    trial.deadlineMs,
  );
  count(report.probe, probe.label);
  count(report.job, job.label);
  if (!PROBE_OUTCOMES.test(probe.label)) found(`the probe ended with ${probe.label} ${probe.message}`);
  if (!JOB_OUTCOMES.test(job.label)) found(`the job ended with ${job.label} ${job.message}`);
  if (/engine process/.test(job.message)) found(`the engine was lost: ${job.message}`);
  await rm(path);
  for (const name of await readdir(scratch)) {
    if (job.label === 'result') await rm(join(scratch, name));
  }
}

const PROBE_OUTCOMES = /^(result|MediaError .*|DecoderFailedError)$/;
/** `RunnerCrashedError` is the decoder's end, unless the message says that it was the engine's. */
const JOB_OUTCOMES = /^(result|RunnerInputError|RunnerCrashedError)$/;

/** Mostly the mutant is the current video of a good goal, sometimes both; from its start or from within. */
function jobOn(path: string, scratch: string, dice: Dice): RunInput {
  const goal = new URL('servo/tiny.mp4', ROOT).pathname;
  const startFrame = dice.pick([0, 0, 3]);
  const jobId = `job-${dice.below(2 ** 32).toString(16)}`;
  return {
    jobId,
    attempt: 1,
    goalVideoPath: dice.below(4) === 0 ? path : goal,
    currentVideoPath: path,
    archivePath: join(scratch, `${jobId}.zip`),
    model: CNS_MODEL,
    parameters: {
      startFrame,
      endFrame: startFrame + 7,
      frameStep: dice.pick([1, 1, 2]),
      goalFrameId: dice.below(2),
      detector: 'ORB',
      policy: 'ibvs',
      useGpus: false,
      intrinsics: { fx: 100, fy: 100, cx: 48, cy: 32 },
      distance: 1,
      visualize: dice.pick(['none', 'sampled']),
    },
  };
}

interface Outcome {
  label: string;
  message: string;
}

async function outcomeOf(work: (signal: AbortSignal) => Promise<unknown>, deadlineMs: number): Promise<Outcome> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(new Error('deadline')), deadlineMs);
  try {
    await work(deadline.signal);
    return { label: 'result', message: '' };
  } catch (error) {
    if (deadline.signal.aborted) return { label: 'hung', message: `for ${deadlineMs / 1000} s` };
    if (!(error instanceof Error)) return { label: 'no error object', message: String(error) };
    const problem = 'problem' in error ? ` ${String(error.problem)}` : '';
    return { label: `${error.name}${problem}`, message: error.message };
  } finally {
    clearTimeout(timer);
  }
}

function count(counts: Record<string, number>, label: string): void {
  counts[label] = (counts[label] ?? 0) + 1;
}

const EMPTY: Footprint = { processes: 0, openFiles: 0, ownRssMiB: 0, engineRssMiB: 0, scratchFiles: 0 };

async function footprint({ runner }: CampaignOptions, scratch: string): Promise<Footprint> {
  const engines = runner.pids();
  const tree = await processTree(process.pid);
  const mebibytes = (pids: number[]) =>
    Math.max(0, ...tree.filter(({ pid }) => pids.includes(pid)).map(({ rssBytes }) => Math.round(rssBytes / 2 ** 20)));
  const openFiles = await Promise.all([process.pid, ...engines].map(openFilesOf));
  return {
    processes: tree.length,
    openFiles: openFiles.reduce((sum, files) => sum + files, 0),
    ownRssMiB: mebibytes([process.pid]),
    engineRssMiB: mebibytes(engines),
    scratchFiles: (await readdir(scratch)).length,
  };
}

/** None for a process that has ended, as an engine does after its share of jobs. */
async function openFilesOf(pid: number): Promise<number> {
  try {
    return (await readdir(`/proc/${pid}/fd`)).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/** Processes that were killed take a moment to be gone. */
async function settledFootprint(options: CampaignOptions, scratch: string, before: Footprint): Promise<Footprint> {
  for (let attempt = 0; ; attempt++) {
    const after = await footprint(options, scratch);
    if (leaks(before, after).length === 0 || attempt === 50) return after;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** A stream or two may be on their way, and collected memory is given back late. */
const SLACK = { processes: 1, openFiles: 6, ownRssMiB: 150, engineRssMiB: 1024 };

function leaks(before: Footprint, after: Footprint): string[] {
  const grown = (['processes', 'openFiles', 'ownRssMiB', 'engineRssMiB'] as const)
    .filter((name) => after[name] > before[name] + SLACK[name])
    .map((name) => `${name} grew from ${before[name]} to ${after[name]}`);
  return after.scratchFiles === 0 ? grown : [...grown, `${after.scratchFiles} files are left over`];
}
