import { RunnerInputError } from '../../runner.errors.js';
import type { RunInput } from '../../runner.port.js';
import type { Bench, Check } from '../check.js';
import { expectNothingAt, expectRejection, expectResultOf } from './expectations.js';

const GOAL_BEYOND = 100_000;

/** Input that no server can work on is told apart from trouble that passes: the first is not tried again. */
export const inputChecks: readonly Check[] = [
  inputCheck('goal-beyond', 'refuses a goal frame that the video does not have', ({ scene }) =>
    scene.job({ parameters: { goalFrameId: GOAL_BEYOND } }),
  ),
  inputCheck('no-video', 'refuses a file that is no video', ({ scene }) => scene.textJob()),
];

function inputCheck(name: string, title: string, inputOf: (bench: Bench) => RunInput): Check {
  return {
    name,
    title,
    severity: 'required',
    async run(bench) {
      const input = inputOf(bench);
      const error = await expectRejection(bench.run(input), RunnerInputError);
      await expectNothingAt(input.archivePath);
      const next = bench.scene.job();
      expectResultOf(next, await bench.run(next));
      return error.message;
    },
  };
}
