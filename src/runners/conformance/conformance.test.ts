import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';

import { afterEach, describe, expect, it } from 'vitest';

import { createScriptedRunner, type Script } from '../../../tests/support/scripted.runner.js';
import {
  RunnerBusyError,
  RunnerCancelledError,
  RunnerCrashedError,
  RunnerInputError,
  RunnerUnavailableError,
} from '../runner.errors.js';
import { CNS_MODEL, type RunContext, type RunInput, type Runner, type RunResult } from '../runner.port.js';
import { loadSample } from '../servo-sample.js';
import { CHECKS } from './checks/all.checks.js';
import { conforms, ConformanceSuite, type ConformanceOptions, type Verdict } from './conformance.js';

const { truth } = await loadSample();
const never = new AbortController().signal;

/** Keeps every promise, computes nothing. */
function soundRunner(): Runner {
  const script: Script = { msPerFrame: 5, velocity: (frame) => truth[frame] };
  const refusal: Script = { failure: { afterFrames: 0, error: new RunnerInputError('Nobody can work on it.') } };
  return createScriptedRunner({
    slots: 2,
    behaviour: ({ parameters: { goalFrameId }, currentVideoPath }) =>
      goalFrameId >= 20 || currentVideoPath.includes('no-video') ? refusal : script,
  });
}

type Run = (inner: Runner, input: RunInput, context: RunContext) => Promise<RunResult>;

/** The sound runner with another way to run jobs. */
const running =
  (run: Run): (() => Runner) =>
  () => {
    const inner = soundRunner();
    return { ...inner, run: (input, context) => run(inner, input, context) };
  };

/** The sound runner with a result that is changed at the end. */
const returning = (change: (result: RunResult, input: RunInput) => Partial<RunResult>): (() => Runner) =>
  running(async (inner, input, context) => {
    const result = await inner.run(input, context);
    return { ...result, ...change(result, input) };
  });

const saying = (said: Partial<ReturnType<Runner['describe']>>) => () => {
  const inner = soundRunner();
  return { ...inner, describe: () => ({ ...inner.describe(), ...said }) };
};

const afterwards = (act: (input: RunInput) => Promise<void>): (() => Runner) =>
  running(async (inner, input, context) => {
    const result = await inner.run(input, context);
    await act(input);
    return result;
  });

const onlyFirst = (rows: number[][], change: (row: number[]) => number[]): number[][] => [
  change(rows[0]),
  ...rows.slice(1),
];

/** What can be wrong with a runner, the check that has to notice, and the words it has for it. */
const BROKEN: readonly (readonly [fault: string, check: string, open: () => Runner, words: RegExp])[] = [
  [
    'is not well',
    'health',
    () => ({ ...soundRunner(), health: async () => ({ state: 'UNHEALTHY', detail: 'no GPU' }) }),
    /UNHEALTHY: no GPU/,
  ],
  ['offers no slot', 'description', saying({ slots: 0 }), /0 slots/],
  ['has no name', 'description', saying({ name: '' }), /empty/],
  ['offers no detector', 'description', saying({ detectors: [] }), /detectors/],
  ['serves another model', 'description', saying({ serves: ['drift'] }), /drift, and not "cns"/],
  ['loses a row', 'rows', returning(({ velocity }) => ({ velocity: velocity.slice(1) })), /3 rows for 4/],
  ['loses a report', 'rows', returning(({ frames }) => ({ frames: frames.slice(1) })), /reports on the frames/],
  [
    'returns NaN',
    'rows',
    returning(({ velocity }) => ({ velocity: onlyFirst(velocity, () => [NaN, 0, 0, 0, 0, 0]) })),
    /Row 0 holds a number that is not finite/,
  ],
  [
    'returns five numbers',
    'single-frame',
    returning(({ velocity }) => ({ velocity: onlyFirst(velocity, (row) => row.slice(1)) })),
    /5 numbers/,
  ],
  ['takes another goal', 'rows', returning(() => ({ goal: { frame: 0, keypoints: 1 } })), /took frame 0 for the goal/],
  [
    'turns velocities round',
    'velocities',
    returning(({ velocity }) => ({ velocity: velocity.map((row) => row.map((value) => -value)) })),
    /180° away/,
  ],
  [
    'never comes to rest',
    'velocities',
    returning(({ velocity }) => ({ velocity: velocity.map(() => [...truth[0]]) })),
    /still \d+ % of the first/,
  ],
  [
    'is imprecise',
    'precision',
    returning(({ velocity }) => ({ velocity: velocity.map((row) => [row[0] + 0.05, ...row.slice(1)]) })),
    /can be had/,
  ],
  ['writes no archive', 'archive', afterwards(({ archivePath }) => rm(archivePath)), /no archive/],
  ['cuts its archive off', 'archive', afterwards(({ archivePath }) => truncate(archivePath, 100)), /./],
  ['writes a page instead', 'archive', afterwards(({ archivePath }) => writeFile(archivePath, '<html>')), /./],
  [
    'lets progress fall',
    'progress',
    running((inner, input, context) => {
      const onProgress: RunContext['onProgress'] = ({ processed, total }) =>
        context.onProgress({ processed: processed % 5, total });
      return inner.run(input, { ...context, onProgress });
    }),
    /fell from 4 to 0/,
  ],
  [
    'counts another number of frames',
    'progress',
    running((inner, input, context) =>
      inner.run(input, { ...context, onProgress: ({ processed }) => context.onProgress({ processed, total: 99 }) }),
    ),
    /99 frames in all/,
  ],
  [
    'hands over other rows',
    'partial-rows',
    running((inner, input, context) =>
      inner.run(input, { ...context, onRows: (rows) => context.onRows?.(rows.map((row) => row.map(() => 1))) }),
    ),
    /Row 0 was handed over as/,
  ],
  [
    'takes any input',
    'goal-beyond',
    running((inner, input, context) =>
      inner.run({ ...input, parameters: { ...input.parameters, goalFrameId: 0 } }, context).then((result) => result),
    ),
    /completed instead of ending with RunnerInputError/,
  ],
  [
    'blames itself for bad input',
    'no-video',
    running(async (inner, input, context) => {
      if (input.currentVideoPath.includes('no-video')) throw new RunnerCrashedError('Exit code 139.');
      return inner.run(input, context);
    }),
    /RunnerCrashedError .* instead of RunnerInputError/,
  ],
  [
    'begins what is cancelled already',
    'cancel-before',
    running((inner, input, context) => inner.run(input, { ...context, signal: never })),
    /completed instead/,
  ],
  [
    'calls a cancelled job unavailable',
    'cancel-midway',
    running((inner, input, context) =>
      inner.run(input, context).catch(() => Promise.reject(new RunnerUnavailableError('Gone.'))),
    ),
    /RunnerUnavailableError .* instead of RunnerCancelledError/,
  ],
  [
    'stops late',
    'cancel-midway',
    running((inner, input, context) =>
      inner.run(input, context).catch(async (error: unknown) => {
        await new Promise((resolve) => setTimeout(resolve, 400));
        throw error;
      }),
    ),
    /promised are 300 ms/,
  ],
  [
    'leaves a part of an archive',
    'cancel-sending',
    running((inner, input, context) =>
      inner.run(input, context).catch(async (error: unknown) => {
        await writeFile(input.archivePath, 'PK');
        throw error;
      }),
    ),
    /left behind/,
  ],
  [
    'proves a stop that is to come',
    'cancel-confirmed',
    running((inner, input, context) =>
      inner.run(input, context).catch(() => {
        const stop = { by: 'server' as const, stoppedAt: new Date(Date.now() + 3_600_000) };
        throw new RunnerCancelledError('Stopped.', { stop });
      }),
    ),
    /is to come/,
  ],
  [
    'mixes jobs up',
    'two-at-once',
    returning(({ velocity }) => ({ velocity: velocity.map(() => [0, 0, 0, 0, 0, 0]) })),
    /same numbers/,
  ],
  [
    'crashes when it is full',
    'more-than-slots',
    (() => {
      let inFlight = 0;
      return running(async (inner, input, context) => {
        if (inFlight >= 2) throw new RunnerCrashedError('Out of memory.');
        inFlight++;
        return inner.run(input, context).finally(() => inFlight--);
      });
    })(),
    /Out of memory/,
  ],
  [
    'is always busy',
    'more-than-slots',
    running(() => Promise.reject(new RunnerBusyError('Full.'))),
    /Every one of the jobs was refused/,
  ],
  ['works on after it was closed', 'close', () => ({ ...soundRunner(), close: async () => undefined }), /./],
  [
    'leaves scratch files',
    'rows',
    afterwards(({ archivePath }) => writeFile(`${archivePath}.part`, '')),
    /leaves behind .*\.part/,
  ],
];

describe('the conformance suite', () => {
  const suites: ConformanceSuite[] = [];
  afterEach(async () => {
    await Promise.all(suites.splice(0).map((suite) => suite.close()));
  });

  const open = async (options: ConformanceOptions): Promise<ConformanceSuite> => {
    const suite = await ConformanceSuite.open({ stopWithinMs: 20_000, ...options });
    suites.push(suite);
    return suite;
  };
  const verdictOn = async (name: string, options: ConformanceOptions): Promise<Verdict> => {
    const check = CHECKS.find((one) => one.name === name);
    if (check === undefined) throw new Error(`No check is called ${name}.`);
    return (await open(options)).check(check);
  };

  it.each(BROKEN)('notices a runner that %s: %s', async (fault, name, makeRunner, words) => {
    const stopWithinMs = fault === 'stops late' ? 300 : 20_000;
    const { outcome, detail } = await verdictOn(name, { open: makeRunner, stopWithinMs, checkMs: 3_000 });
    expect([outcome, detail]).toEqual(['failed', expect.stringMatching(words)]);
  });

  it('gives every check a name of its own', () => {
    const names = CHECKS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.every((name) => /^[a-z-]+$/.test(name))).toBe(true);
  });

  it('ends a check on a runner that does not end, and says so', async () => {
    const deaf = running(() => new Promise(() => undefined));
    const verdict = await verdictOn('rows', { open: deaf, checkMs: 50 });
    expect(verdict).toMatchObject({ outcome: 'failed', detail: 'It took longer than 0.05 s.' });
  });

  it('waits while a runner is starting', async () => {
    const states = ['STARTING', 'READY'] as const;
    let asked = 0;
    const starting = () => ({ ...soundRunner(), health: async () => ({ state: states[Math.min(asked++, 1)] }) });
    expect(await verdictOn('health', { open: starting })).toMatchObject({ outcome: 'passed', detail: 'READY' });
    expect(asked).toBe(2);
  });

  it('comes back to a busy runner when that asks for it', async () => {
    let refusals = 2;
    const busyAtFirst = running(async (inner, input, context) => {
      if (refusals-- > 0) throw new RunnerBusyError('Full.', { retryAfterSeconds: 0 });
      return inner.run(input, context);
    });
    expect(await verdictOn('rows', { open: busyAtFirst })).toMatchObject({ outcome: 'passed' });
  });

  it('tries nothing else on a runner that is not ready', async () => {
    let jobs = 0;
    const inner = soundRunner();
    const sick = (): Runner => ({
      ...inner,
      health: async () => ({ state: 'UNHEALTHY' }),
      run: (...job) => (jobs++, inner.run(...job)),
    });
    const suite = await open({ open: sick });
    const verdicts: Verdict[] = [];
    for await (const verdict of suite.run(CHECKS, never)) verdicts.push(verdict);
    expect(verdicts.map(({ outcome }) => outcome)).toEqual(['failed', ...CHECKS.slice(1).map(() => 'skipped')]);
    expect(jobs).toBe(0);
    expect(conforms(verdicts)).toBe(false);
  });

  it('ends with the signal, and begins nothing after it', async () => {
    const controller = new AbortController();
    const suite = await open({
      open: running((inner, input, context) => {
        controller.abort(new Error('Ctrl-C'));
        return inner.run(input, context);
      }),
    });
    const verdicts: Verdict[] = [];
    for await (const verdict of suite.run(CHECKS, controller.signal)) verdicts.push(verdict);
    expect(verdicts.at(-1)).toMatchObject({ name: 'rows', outcome: 'failed', detail: 'Ctrl-C' });
  });

  it('does not judge the numbers of a model that it does not know', async () => {
    const drift = saying({ serves: ['drift'] });
    const model = { ...CNS_MODEL, name: 'drift' };
    expect(await verdictOn('velocities', { open: drift, model })).toMatchObject({ outcome: 'skipped' });
  });

  it('counts a flaw in what is optional, and does not fail for it', () => {
    const verdict = { name: 'precision', title: '', detail: '', seconds: 0, outcome: 'failed' } as const;
    expect(conforms([{ ...verdict, severity: 'optional' }])).toBe(true);
    expect(conforms([{ ...verdict, severity: 'required' }])).toBe(false);
  });

  it('closes its runners and takes its files away, twice', async () => {
    const before = new Set(await readdir(tmpdir()));
    const runner = soundRunner();
    const suite = await ConformanceSuite.open({ open: () => runner });
    await suite.close();
    await suite.close();
    expect((await runner.health()).state).toBe('CLOSED');
    const added = (await readdir(tmpdir())).filter((name) => !before.has(name));
    expect(added.filter((name) => name.startsWith('infernode-conformance-') && suite.folder.endsWith(name))).toEqual(
      [],
    );
  });
});
