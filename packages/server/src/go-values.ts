/** Numbers, booleans and durations as Go's flag package reads them, down to its words for what it does not read. */

/** A value, or what is wrong with the text in Go's words. */
export type Reading<Value> = { readonly value: Value } | { readonly problem: string };

const PARSE_ERROR = { problem: 'parse error' } as const;
const OUT_OF_RANGE = { problem: 'value out of range' } as const;

const DIGITS_BY_PREFIX = [
  [/^0x[0-9a-f]+$/i, ''],
  [/^0b[01]+$/i, ''],
  [/^0o[0-7]+$/i, ''],
  [/^0[0-7]+$/, '0o'],
  [/^(0|[1-9]\d*)$/, ''],
] as const;

/**
 * A whole number in Go's notation: decimal, `0x`, `0b`, `0o` or a leading zero for octal, `_` between digits.
 *
 * @param least,greatest The range of the Go type. Beyond 2^53 a value is read as the nearest number that a double holds.
 */
export function readInteger(text: string, least: bigint, greatest: bigint): Reading<number> {
  const isNegative = text.startsWith('-');
  if (isNegative && least === 0n) return PARSE_ERROR;
  const unsigned = least < 0n ? text.replace(/^[+-]/, '') : text;
  if (/^_|_$|__/.test(unsigned)) return PARSE_ERROR;
  const digits = unsigned.replaceAll('_', '');
  for (const [pattern, prefix] of DIGITS_BY_PREFIX) {
    if (!pattern.test(digits)) continue;
    const size = BigInt(prefix === '' ? digits : prefix + digits.slice(1));
    const value = isNegative ? -size : size;
    return value < least || value > greatest ? OUT_OF_RANGE : { value: Number(value) };
  }
  return PARSE_ERROR;
}

/** A decimal number of 32 bits without sign: etcd's own flag type, with its own words. */
export function readUint32(text: string): Reading<number> {
  const refused = (why: string) => ({ problem: `strconv.ParseUint: parsing "${text}": ${why}` });
  const reading = readInteger(text, 0n, 0xffff_ffffn);
  if ('value' in reading) return reading;
  return refused(reading === OUT_OF_RANGE ? 'value out of range' : 'invalid syntax');
}

/** The spellings of Go's strconv.ParseBool, and no others. */
export function readBoolean(text: string): Reading<boolean> {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return { value: true };
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return { value: false };
  return PARSE_ERROR;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const DURATION = new RegExp(`^[+-]?(${PART.source})+$`);

/** Greatest duration that Go holds (2^63 - 1 ns), in milliseconds. */
const MAX_DURATION_MS = 9_223_372_036_854;

/** Milliseconds of Go's `1m30.5s`, fractions included. */
export function readDurationMs(text: string): Reading<number> {
  if (/^[+-]?0$/.test(text)) return { value: 0 };
  if (!DURATION.test(text)) return PARSE_ERROR;
  let total = 0;
  for (const [, number, unit] of text.matchAll(PART)) {
    total += Number(number) * (UNITS_MS[unit as string] as number);
  }
  if (total > MAX_DURATION_MS) return PARSE_ERROR;
  return { value: text.startsWith('-') ? -total : total };
}

/** A duration as Go prints it: `1m30s`, `100ms`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 0) return `-${formatDuration(-ms)}`;
  const rounded = (value: number): string => String(Number(value.toFixed(9)));
  if (ms < 1e-3) return `${rounded(ms * 1e6)}ns`;
  if (ms < 1) return `${rounded(ms * 1e3)}µs`;
  if (ms < 1_000) return `${rounded(ms)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = `${rounded((ms % 60_000) / 1_000)}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
