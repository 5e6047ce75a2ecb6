import type { Runner } from '../../src/runners/runner.port.js';

/** Holds back who waits at it until the test opens it. */
export class Gate {
  waiting = false;
  left = false;
  open: () => void = () => undefined;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

const never = new AbortController().signal;

/** Waits at the attempt’s gate and listens to no signal, as a program that hangs in a system call does. */
export function deafRunner(inner: Runner, gates: readonly Gate[]): Runner {
  return {
    ...inner,
    async run(input, context) {
      const gate = gates[input.attempt - 1];
      if (gate === undefined) return inner.run(input, { ...context, signal: never });
      gate.waiting = true;
      await gate.opened;
      try {
        return await inner.run(input, { ...context, signal: never });
      } finally {
        gate.left = true;
      }
    },
  };
}

/** Does as it is told, but once told to stop it takes until the gate opens. */
export function reluctantRunner(inner: Runner, gate: Gate): Runner {
  return {
    ...inner,
    async run(input, context) {
      try {
        return await inner.run(input, context);
      } catch (error) {
        gate.waiting = true;
        await gate.opened;
        throw error;
      }
    },
  };
}
