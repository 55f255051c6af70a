/** How far the command is, on standard error; and what it has seen, at the end. */
import process from 'node:process';
import type { RunResult } from '../cluster/run-plan.ts';
import { SOMETIMES } from '../cluster/sometimes.ts';

/** Between two lines of progress on a terminal, which writes one over the other. */
const TERMINAL_INTERVAL_MS = 1_000;
/** And in a file, which keeps them all. */
const FILE_INTERVAL_MS = 60_000;

/** Counts runs. */
export class Progress {
  readonly #startMs = performance.now();
  readonly #cpuMs: () => number;
  readonly #coverage = new Map<string, number>();
  readonly #sometimes = new Map<string, number>();
  #lastPrintMs = 0;
  #runs = 0;
  #events = 0;
  #operations = 0;
  #simulatedMs = 0;

  /** @param cpuMs Processor time used so far, by everybody. */
  constructor(cpuMs: () => number) {
    this.#cpuMs = cpuMs;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  add(result: RunResult): void {
    this.#runs++;
    this.#events += result.events;
    this.#operations += result.operations;
    this.#simulatedMs += result.simulatedMs;
    addAll(this.#coverage, result.coverage);
    addAll(this.#sometimes, result.sometimes);
    const { isTTY } = process.stderr;
    const intervalMs = isTTY ? TERMINAL_INTERVAL_MS : FILE_INTERVAL_MS;
    if (this.elapsedMs - this.#lastPrintMs < intervalMs) return;
    this.#lastPrintMs = this.elapsedMs;
    process.stderr.write(isTTY ? `\r${this.#line()} ` : `${this.#line()}\n`);
  }

  /** Prints everything that was counted. */
  finish(failures: number): void {
    console.error(`\n${this.#line()}; ${failures} failed; Node ${process.versions.node}`);
    const names = [...this.#coverage.keys()].sort((a, b) => (a < b ? -1 : 1));
    for (const name of names) console.error(`  ${name.padEnd(40)} ${this.#coverage.get(name)}`);
    console.error('\nsometimes');
    for (const name of SOMETIMES) {
      console.error(`  ${name.padEnd(64)} ${this.#sometimes.get(name) ?? 'never'}`);
    }
  }

  #line(): string {
    const seconds = this.elapsedMs / 1000;
    return (
      `${this.#runs} seeds, ${(this.#runs / seconds).toFixed(1)} a second, ` +
      `${Math.round(this.#simulatedMs / 1000)} s simulated (${(this.#simulatedMs / this.elapsedMs).toFixed(0)} times real time), ` +
      `${this.#events} events, ${this.#operations} operations, ${Math.round(this.#cpuMs() / 1000)} s of processor time`
    );
  }
}

function addAll(sums: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) {
    sums.set(name, (sums.get(name) ?? 0) + count);
  }
}
