import type { WriteStream } from 'node:tty';

type Paint = (text: string) => string;

export interface Progress {
  /** @param detail what stands behind the bar, e.g. `3 of 10 frames` */
  update(done: number, total: number, detail: string): void;
}

export interface StepTiming {
  label: string;
  seconds: number;
}

const LABEL_WIDTH = 15;
const TIME_WIDTH = 6;
const BAR_WIDTH = 28;
const REDRAW_MS = 60;
/** Without a terminal a bar becomes a line at each quarter. */
const QUARTERS = 4;

/** Writes for a person: steps with their time, progress bars, colours; plain lines where nobody looks at a terminal. */
export class Terminal {
  readonly timings: StepTiming[] = [];
  readonly bold: Paint;
  readonly dim: Paint;
  readonly green: Paint;
  readonly red: Paint;
  readonly yellow: Paint;
  private readonly isInteractive: boolean;
  private liveLine = '';

  constructor(
    private readonly output: Pick<WriteStream, 'write' | 'isTTY' | 'columns'>,
    env: NodeJS.ProcessEnv,
  ) {
    this.isInteractive = output.isTTY && env.TERM !== 'dumb';
    const hasColour = this.isInteractive && (env.NO_COLOR ?? '') === '';
    const paint = (code: number): Paint => (hasColour ? (text) => `\x1b[${code}m${text}\x1b[0m` : (text) => text);
    [this.bold, this.dim, this.red, this.green, this.yellow] = [paint(1), paint(2), paint(31), paint(32), paint(33)];
  }

  line(text = ''): void {
    this.eraseLive();
    this.output.write(`${text}\n`);
    this.drawLive();
  }

  /** Stands below the lines until it is replaced; only where somebody looks at a terminal. Empty: nothing stands there. */
  live(text: string): void {
    if (this.isInteractive) this.setLive(text);
  }

  /** Columns of the terminal; lines in files and pipes are for programs, and of any length. */
  get width(): number {
    return this.isInteractive ? this.output.columns : Infinity;
  }

  heading(text: string): void {
    this.line();
    this.line(this.bold(text));
  }

  field(label: string, value: string): void {
    this.line(`  ${label.padEnd(LABEL_WIDTH)}${value}`);
  }

  /** Runs one step; its result line holds what `work` says about it and how long it took. */
  async step<T>(label: string, work: (progress: Progress) => Promise<{ value: T; detail: string }>): Promise<T> {
    const start = performance.now();
    this.live(`  ${this.dim('…')} ${label}`);
    try {
      const { value, detail } = await work(this.progress(label));
      const seconds = (performance.now() - start) / 1000;
      this.timings.push({ label, seconds });
      this.setLive('');
      const time = this.dim(formatSeconds(seconds).padStart(TIME_WIDTH));
      this.line(`  ${this.green('✓')} ${label.padEnd(LABEL_WIDTH)}${time}  ${detail}`);
      return value;
    } catch (error) {
      this.setLive('');
      this.line(`  ${this.red('✗')} ${label}`);
      throw error;
    }
  }

  private progress(label: string): Progress {
    let shownQuarter = 0;
    let drawnAt = 0;
    return {
      update: (done, total, detail) => {
        const share = total === 0 ? 1 : Math.min(1, done / total);
        const percent = `${Math.floor(share * 100)} %`.padStart(5);
        if (!this.isInteractive) {
          const quarter = Math.floor(share * QUARTERS);
          if (quarter <= shownQuarter || share === 1) return;
          shownQuarter = quarter;
          this.line(`    ${label.padEnd(LABEL_WIDTH)}${percent}  ${detail}`);
          return;
        }
        const now = performance.now();
        if (now - drawnAt < REDRAW_MS && share < 1) return;
        drawnAt = now;
        const filled = Math.round(share * BAR_WIDTH);
        const bar = this.green('█'.repeat(filled)) + this.dim('░'.repeat(BAR_WIDTH - filled));
        this.setLive(`  ${this.dim('…')} ${label.padEnd(LABEL_WIDTH)}${bar}${percent}  ${detail}`);
      },
    };
  }

  private setLive(text: string): void {
    this.eraseLive();
    this.liveLine = text;
    this.drawLive();
  }

  private eraseLive(): void {
    if (this.liveLine !== '') this.output.write('\r\x1b[2K');
  }

  private drawLive(): void {
    if (this.liveLine !== '') this.output.write(this.liveLine);
  }
}

export function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1000).toFixed(0)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
