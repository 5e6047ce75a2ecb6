import { createLogger } from '../../src/platform/logging/winston-logger.js';
import type { Detector } from '../../src/runners/detector.js';
import { POLICIES, type Policy } from '../../src/runners/runner.port.js';
import { median } from '../../tests/support/velocity-difference.js';
import { compareVelocities } from './accuracy.js';
import { approachGoal } from './approach.js';
import { EngineProgram } from './engine-program.js';
import { neighbourOfGoal, storedVelocities, type GoldenCase } from './golden-folder.js';
import type { ReferenceProgram } from './reference-program.js';
import type { Measurement, Row } from './report.js';

export interface Plan {
  cases: GoldenCase[];
  detectors: string[];
  policies: string[];
  rounds: number;
  /** File with the weights of the policy cns. */
  weights: string | undefined;
}

interface Task {
  cases: GoldenCase[];
  detector: Detector;
  policy: Policy;
}

/**
 * Every case with every detector and policy, as many times as there are rounds, next to the reference.
 *
 * @param reference null: only our own side is measured
 * @param tell told of each measurement that is done
 */
export async function measureEngine(
  { cases, detectors, policies, rounds, weights }: Plan,
  reference: ReferenceProgram | null,
  tell: (line: string) => void,
): Promise<{ rows: Row[]; notes: string[] }> {
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const policy of policies.map(asPolicy)) {
    if (policy === 'cns' && weights === undefined) {
      notes.push('No policy cns: neither `--weights` nor CNS_WEIGHTS names the weights.');
      continue;
    }
    for (const detector of detectors) {
      const task = { cases, detector, policy };
      const measured = new Map<GoldenCase, Measurement[]>(cases.map((golden) => [golden, []]));
      for (let round = 0; round < rounds; round++) {
        await measureRound(task, { reference, weights, isOursFirst: round % 2 === 0 }, (golden, measurement) => {
          measured.get(golden)?.push(measurement);
          tell(`round ${round + 1}: ${policy} ${detector} ${golden.name}`);
        });
      }
      for (const [golden, measurements] of measured) rows.push(await describe(task, golden, measurements, reference));
    }
  }
  return { rows, notes };
}

function asPolicy(name: string): Policy {
  const policy = POLICIES.find((known) => known === name);
  if (policy === undefined) throw new Error(`Unknown policy ${name}`);
  return policy;
}

interface RoundOptions {
  reference: ReferenceProgram | null;
  weights: string | undefined;
  /** Which of the two goes first changes from round to round. */
  isOursFirst: boolean;
}

async function measureRound(
  { cases, detector, policy }: Task,
  { reference, weights, isOursFirst }: RoundOptions,
  onMeasured: (golden: GoldenCase, measurement: Measurement) => void,
): Promise<void> {
  const logger = createLogger({ level: 'warn', format: 'pretty', fields: {} });
  // A fresh engine each round: what it keeps of one goal for later jobs must not count.
  const program = await EngineProgram.start({ logger, weights });
  try {
    const warmUp = cases[0];
    await program.run({ golden: warmUp, detector, policy, goalFrame: neighbourOfGoal(warmUp) });
    for (const golden of cases) {
      const theirs = async () => (await reference?.measure(golden, detector, policy)) ?? null;
      const early = isOursFirst ? null : await theirs();
      const engine = await program.run({ golden, detector, policy });
      onMeasured(golden, { engine, reference: isOursFirst ? await theirs() : early });
    }
  } finally {
    await program.stop();
  }
}

async function describe(
  { detector, policy }: Task,
  golden: GoldenCase,
  measurements: Measurement[],
  program: ReferenceProgram | null,
): Promise<Row> {
  const ours = measurements[0].engine.result.velocity;
  const stored = (kind: Parameters<typeof storedVelocities>[3]) => storedVelocities(golden, detector, policy, kind);
  const compare = (velocities: number[][] | null, reference: number[][] | null) =>
    velocities === null || reference === null ? null : compareVelocities(velocities, reference, golden.distance);
  const exact = stored('exact');
  const robust = stored('robust') ?? (await program?.velocities(golden, detector, policy)) ?? null;
  return {
    caseName: golden.name,
    detector,
    policy,
    measurements,
    ratio: ratioOf(measurements),
    approach: approachGoal(golden, ours, robust),
    toReference: compare(ours, robust),
    toExact: compare(ours, exact),
    publishedToExact: compare(stored('upstream'), exact),
  };
}

/** Ours to theirs: median and range over the rounds. */
function ratioOf(measurements: Measurement[]): Row['ratio'] {
  const ratios = measurements.flatMap(({ engine, reference }) =>
    reference === null ? [] : [engine.framesPerSecond / reference.framesPerSecond],
  );
  if (ratios.length === 0) return null;
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}
