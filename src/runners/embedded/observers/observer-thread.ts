import { parentPort } from 'node:worker_threads';
import { RunnerError } from '../../runner.errors.js';
import type { Detector } from '../../detector.js';
import type { Intrinsics } from '../../runner.port.js';
import { runnerErrorCode } from '../error-codec.js';
import type { Goal } from '../vision/goal.js';
import { Observer } from '../vision/observer.js';
import type { ObserverAnswer, ObserverRequest, ObserverTask } from './observer-messages.js';
import type { ObservedFrame } from './observers.js';

/** The program of a thread that observes frames, one after the other. It stays as it is between jobs. */

const port = parentPort;
if (port === null) throw new Error('This program runs in a thread of an engine.');

let observer: { detector: Detector; instance: Observer } | null = null;
let aim: { goal: Goal; intrinsics: Intrinsics } | null = null;
let last = Promise.resolve();

port.on('message', ({ id, task }: ObserverRequest) => {
  last = last.then(() => answer(id, task));
});

async function answer(id: number, task: ObserverTask): Promise<void> {
  let reply: ObserverAnswer;
  const pixels: ArrayBuffer[] = [];
  try {
    const value = await perform(task);
    if (task.type === 'observe') pixels.push(task.frame.gray.buffer as ArrayBuffer);
    reply = { id, value };
  } catch (error) {
    reply = { id, failure: describe(error) };
  }
  port!.postMessage(reply, pixels);
}

async function perform(task: ObserverTask): Promise<Goal | ObservedFrame | null> {
  switch (task.type) {
    case 'find-goal':
      return (await observerWith(task.detector)).findGoal(task.frame);
    case 'aim':
      await observerWith(task.options.detector);
      aim = { goal: task.goal, intrinsics: task.options.intrinsics };
      return null;
    case 'observe':
      if (observer === null || aim === null) throw new Error('A frame came before its goal.');
      return { observation: observer.instance.observe(aim.goal, task.frame, aim.intrinsics), gray: task.frame.gray };
  }
}

async function observerWith(detector: Detector): Promise<Observer> {
  if (observer?.detector !== detector) {
    observer?.instance.dispose();
    observer = null;
    observer = { detector, instance: await Observer.create(detector) };
  }
  return observer.instance;
}

function describe(error: unknown): Extract<ObserverAnswer, { failure: unknown }>['failure'] {
  if (!(error instanceof Error)) return { code: null, message: String(error), stack: undefined };
  const code = error instanceof RunnerError ? runnerErrorCode(error) : null;
  return { code, message: error.message, stack: error.stack };
}
