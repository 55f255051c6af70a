/**
 * Fuzzes what reads strangers' bytes, guided by coverage.
 *
 * An input that makes code run which never ran before is kept and changed further. Ends with code 1 and the input when
 * something is thrown that must not be, or takes too long.
 */
import { misused, readCommandLine, wholeNumber } from '../../../tools/command-line/command-line.ts';
import { Coverage } from './fuzz/coverage.ts';
import { mutate, seeded } from './fuzz/mutate.ts';
import { shown, type Target, TARGETS } from './fuzz/targets.ts';

/** Inputs between two looks at the coverage. */
const BATCH = 1_024;
/** No input of a few thousand bytes may take longer. */
const MAX_RUN_MS = 1_000;

interface Outcome {
  readonly runs: number;
  readonly kept: number;
  readonly covered: string;
  readonly crash: { readonly input: Uint8Array; readonly error: unknown } | undefined;
}

function tried({ run }: Target, input: Uint8Array): unknown {
  const beganMs = performance.now();
  try {
    run(input);
  } catch (error) {
    return error;
  }
  const tookMs = performance.now() - beganMs;
  return tookMs > MAX_RUN_MS ? new Error(`it took ${tookMs} ms`) : undefined;
}

function fuzz(target: Target, seconds: number, seed: number): Outcome {
  const below = seeded(seed);
  const coverage = new Coverage(target.sources);
  const corpus = [...target.corpus];
  for (const input of corpus) target.run(input);
  coverage.look(true);
  const untilMs = performance.now() + seconds * 1_000;
  const any = (): Uint8Array => corpus[below(corpus.length)] ?? new Uint8Array(0);
  const done = (runs: number, crash?: Outcome['crash']): Outcome => {
    const { covered, all } = coverage.total;
    coverage.close();
    const share = ((100 * covered) / all).toFixed(1);
    return {
      runs,
      kept: corpus.length,
      covered: `${covered} of ${all} characters (${share} %)`,
      crash,
    };
  };
  for (let runs = 0; ; runs += BATCH) {
    if (performance.now() >= untilMs) return done(runs);
    const batch = Array.from({ length: BATCH }, () => mutate(any(), any(), below));
    for (const input of batch) {
      const error = tried(target, input);
      if (error !== undefined) return done(runs, { input, error });
    }
    if (coverage.look(false) > 0) corpus.push(...newsOf(target, batch, coverage));
  }
}

/**
 * Those inputs of a batch that make code run which never ran before. A look costs more than many runs, so that a batch is
 * halved until one input is left.
 */
function newsOf(target: Target, batch: readonly Uint8Array[], coverage: Coverage): Uint8Array[] {
  for (const input of batch) target.run(input);
  if (coverage.look(batch.length === 1) === 0) return [];
  if (batch.length === 1) return [...batch];
  const middle = batch.length >> 1;
  return [
    ...newsOf(target, batch.slice(0, middle), coverage),
    ...newsOf(target, batch.slice(middle), coverage),
  ];
}

const USAGE = `usage: npm run fuzz -- [options] [${Object.keys(TARGETS).join('|')} ...]

  --seconds N  how long each target (default 60)
  --seed N     what is tried (default 1)`;

const { values, positionals } = readCommandLine(USAGE, {
  seconds: { type: 'string', default: '60' },
  seed: { type: 'string', default: '1' },
});
const seconds = wholeNumber(USAGE, '--seconds', values.seconds);
const seed = wholeNumber(USAGE, '--seed', values.seed);

for (const name of positionals.length > 0 ? positionals : Object.keys(TARGETS)) {
  const target = TARGETS[name];
  if (target === undefined) misused(USAGE, `${name} is none of ${Object.keys(TARGETS).join(', ')}`);
  const { runs, kept, covered, crash } = fuzz(target, seconds, seed);
  console.log(
    `${name}: ${runs} executions, ${kept} inputs kept, ${covered} run, ${crash === undefined ? 'no crash' : 'a crash'}`,
  );
  if (crash === undefined) continue;
  console.log(shown(crash.input));
  console.log(crash.error);
  process.exitCode = 1;
}
