import type { Detector } from '../../detector.js';
import type { GrayImage } from '../vision/features.js';
import type { Goal } from '../vision/goal.js';
import { ObserverWorker } from './observer-worker.js';
import type { Aim, AimOptions, Observers } from './observers.js';

/** One frame that a thread works on, and one that waits, so that the thread need not. */
const FRAMES_PER_THREAD = 2;

/**
 * Observers in threads of this process, which stay from job to job: what they have loaded and compiled is used again.
 * One job at a time.
 */
export class ThreadedObservers implements Observers {
  private workers: ObserverWorker[] = [];

  /** @param startWorker for tests that end a thread from within */
  constructor(
    private readonly threads: number,
    private readonly startWorker: () => ObserverWorker = () => new ObserverWorker(),
  ) {}

  /** Starts the threads, or those that are missing, ahead of need. */
  prepare(): void {
    this.workers = this.workers.filter(({ isAlive }) => isAlive);
    while (this.workers.length < this.threads) this.workers.push(this.startWorker());
  }

  findGoal(detector: Detector, frame: GrayImage): Promise<Goal> {
    this.prepare();
    // Copied rather than handed over: the frame is needed here for the pictures.
    return this.workers[0]!.perform({ type: 'find-goal', detector, frame });
  }

  async aim({ detector, intrinsics }: AimOptions, goal: Goal): Promise<Aim> {
    const options = { detector, intrinsics };
    this.prepare();
    const workers = [...this.workers];
    await Promise.all(workers.map((worker) => worker.perform({ type: 'aim', options, goal })));
    return {
      lookAhead: FRAMES_PER_THREAD * workers.length,
      observe: ({ gray, width, height }) => {
        const frame = { gray: withOwnBuffer(gray), width, height };
        return leastBusy(workers).perform({ type: 'observe', frame }, [frame.gray.buffer]);
      },
      release: () => {
        // A thread cannot be called back; a new one starts sooner than a large frame is done.
        for (const worker of workers) if (worker.load > 0) worker.end();
      },
    };
  }

  /** Ends all threads. */
  close(): void {
    for (const worker of this.workers.splice(0)) worker.end();
  }
}

function leastBusy(workers: readonly ObserverWorker[]): ObserverWorker {
  return workers.reduce((best, next) => (next.load < best.load ? next : best));
}

/** A buffer is handed over as a whole, so it must hold nothing else. */
function withOwnBuffer(gray: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = gray;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) return gray as Uint8Array<ArrayBuffer>;
  return gray.slice();
}
