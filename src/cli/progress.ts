/** Progress on stderr: one line that is written over on a terminal, a line now and then elsewhere. */
import { RateMeter } from '#run/metrics.ts';

const TERMINAL_MS = 200;
const PLAIN_MS = 5000;

export function formatSeconds(seconds: number | null): string {
  if (seconds === null) return '';
  if (seconds < 90) return `${Math.ceil(seconds)} s left`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min left` : `${(seconds / 3600).toFixed(1)} h left`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 2 ** 20) return `${(bytes / 1024).toFixed(1)} KiB`;
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}

/** `134.5M`, `2.4K`, `17`. */
export function formatCount(count: number): string {
  if (count < 1000) return String(count);
  if (count < 1e5) return `${(count / 1e3).toFixed(1)}K`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)}M` : `${(count / 1e9).toFixed(2)}B`;
}

/** A line on stderr of its own, under a progress line that stands there. */
export function say(text: string): void {
  process.stderr.write(`${ProgressLine.isStanding ? '\n' : ''}${text}\n`);
  ProgressLine.isStanding = false;
}

/** A job's line: what, how much of how much, rate, time left. */
export class ProgressLine {
  /** Whether a terminal shows a line that is still to be written over. */
  static isStanding = false;
  readonly #what: string;
  readonly #unit: string;
  readonly #meter = new RateMeter();
  readonly #isTerminal = process.stderr.isTTY;
  #shownAt = -Infinity;

  constructor(what: string, unit: string) {
    this.#what = what;
    this.#unit = unit;
  }

  show(done: number, total: number, more = ''): void {
    const { perSecond, secondsLeft } = this.#meter.at(done, total);
    const now = performance.now();
    if (done < total && now - this.#shownAt < (this.#isTerminal ? TERMINAL_MS : PLAIN_MS)) return;
    this.#shownAt = now;
    const amount = (value: number) => (this.#unit === 'bytes' ? formatBytes(value) : `${Math.round(value * 100) / 100}`);
    const unit = this.#unit === 'bytes' ? '' : ` ${this.#unit}`;
    const line = [
      `${this.#what}: ${amount(done)} of ${amount(total)}${unit}`,
      perSecond > 0 ? `${amount(perSecond)}${unit}/s` : '',
      formatSeconds(secondsLeft),
      more,
    ];
    const text = line.filter(Boolean).join(', ');
    process.stderr.write(this.#isTerminal ? `\r\u001b[K${text}${done >= total ? '\n' : ''}` : `${text}\n`);
    ProgressLine.isStanding = this.#isTerminal && done < total;
  }
}
