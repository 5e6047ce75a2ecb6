import { RunnerProtocolError } from '../runner.errors.js';
import type { EnergyReport, FrameReport, RunParameters, RunResult, RunUsage } from '../runner.port.js';
import type { Analysis } from './wire.js';

const NUMBERS_PER_ROW = 6;

export interface AskedFor {
  parameters: RunParameters;
  /** The device that was asked for, as the wire says it. */
  device: string;
  /** Whether the server says what it can do; if not, nobody knows which policy it has. */
  isFirstVersion: boolean;
  peer: string;
  /** From the last byte of the input to the answer, seconds. */
  waitedSeconds: number;
}

/** @throws RunnerProtocolError non-finite, wrong-shape, wrong-row-count */
export function toRunResult(analysis: Analysis, asked: AskedFor): RunResult {
  const { parameters, peer } = asked;
  const expected = framesOf(parameters);
  const velocity = finiteRows(analysis.velocity, peer);
  if (velocity.length !== expected.length) {
    const message = `${peer} sends ${velocity.length} rows for ${expected.length} frames.`;
    throw new RunnerProtocolError('wrong-row-count', message);
  }
  const device = analysis.device ?? asked.device;
  return {
    velocity,
    frames: reportsOf(analysis, expected, peer),
    goal: { frame: parameters.goalFrameId, keypoints: analysis.goal?.keypoints ?? null },
    device: isGpu(device) ? 'gpu' : 'cpu',
    model: analysis.model ?? null,
    usage: usageOf(analysis, asked.waitedSeconds),
    message: analysis.message ?? `${velocity.length} frames by a model server.`,
    warnings: [...(analysis.warnings ?? []), ...ownWarnings(analysis, asked)],
  };
}

/** Frames start, start + step, … ≤ end. */
export function framesOf({ startFrame, endFrame, frameStep }: RunParameters): number[] {
  return Array.from({ length: Math.floor((endFrame - startFrame) / frameStep) + 1 }, (_, row) => {
    return startFrame + row * frameStep;
  });
}

/** @throws RunnerProtocolError non-finite, wrong-shape */
export function finiteRows(rows: readonly (readonly (number | null)[])[], peer: string): number[][] {
  return rows.map((row, index) => {
    if (row.length !== NUMBERS_PER_ROW) {
      const message = `${peer} sends ${row.length} instead of ${NUMBERS_PER_ROW} numbers as velocity of row ${index}.`;
      throw new RunnerProtocolError('wrong-shape', message);
    }
    return row.map((value) => {
      // An encoder that knows no NaN writes null, and JSON reads 1e999 as infinite.
      if (value !== null && Number.isFinite(value)) return value;
      throw new RunnerProtocolError('non-finite', `${peer} sends no finite number as velocity of row ${index}.`);
    });
  });
}

function reportsOf({ frames }: Analysis, expected: readonly number[], peer: string): FrameReport[] {
  if (frames === null || frames === undefined) {
    return expected.map((frame) => {
      return { frame, keypoints: null, matches: null, inliers: null, featureErrorPx: null, problem: null };
    });
  }
  if (frames.length !== expected.length) {
    const message = `${peer} sends ${frames.length} reports for ${expected.length} frames.`;
    throw new RunnerProtocolError('wrong-row-count', message);
  }
  return frames.map((report, index) => {
    if (report.frame !== expected[index]) {
      const message = `${peer} reports on frame ${report.frame} where frame ${expected[index]} was asked for.`;
      throw new RunnerProtocolError('wrong-shape', message);
    }
    return {
      frame: report.frame,
      keypoints: report.keypoints ?? null,
      matches: report.matches ?? null,
      inliers: report.inliers ?? null,
      featureErrorPx: report.feature_error_px ?? null,
      problem: report.problem ?? null,
    };
  });
}

function usageOf({ usage, energy, carbon_footprint }: Analysis, waitedSeconds: number): RunUsage {
  return {
    wallSeconds: usage?.wall_seconds ?? waitedSeconds,
    cpuSeconds: usage?.cpu_seconds ?? 0,
    gpuSeconds: usage?.gpu_seconds ?? 0,
    energy: energyOf(energy),
    reportedCarbonGrams: carbon_footprint ?? null,
  };
}

function energyOf(energy: Analysis['energy']): EnergyReport | null {
  if (energy === null || energy === undefined) return null;
  return {
    method: energy.method,
    cpuWh: energy.cpu_wh ?? null,
    gpuWh: energy.gpu_wh ?? null,
    memoryWh: energy.memory_wh ?? null,
    source: energy.source,
  };
}

function ownWarnings(analysis: Analysis, { parameters, device, isFirstVersion }: AskedFor): string[] {
  const warnings: string[] = [];
  if (parameters.useGpus && !isGpu(device)) warnings.push('The model server has no GPU: it worked on its CPU.');
  if (analysis.device === null || analysis.device === undefined) {
    warnings.push(`The model server does not say which device it used; it was asked for "${device}".`);
  } else if (isGpu(device) && !isGpu(analysis.device)) {
    warnings.push(`The model server used "${analysis.device}" where "${device}" was asked for.`);
  }
  if (isFirstVersion) {
    const asked = `the policy "${parameters.policy}", the intrinsics and the distance that were asked for`;
    warnings.push(`The model server does not say whether it used ${asked}.`);
  }
  return warnings;
}

function isGpu(device: string): boolean {
  return /^(cuda|gpu|mps|xpu|rocm)/i.test(device);
}
