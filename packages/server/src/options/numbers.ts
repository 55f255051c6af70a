/** Numbers among the options: each has a default and a range, and whatever is outside is refused by name. */
import { StartError } from '../start-error.ts';

/** A number's default, least and greatest value. */
export type Range = readonly [fallback: number, least: number, greatest: number];

/**
 * Numbers of a family, completed and checked.
 *
 * @param zeroIsDefault Numbers for which etcd takes 0 as "not given".
 * @throws StartError BAD_OPTION: names the option, its value and its range.
 */
export function resolveNumbers<Ranges extends Readonly<Record<string, Range>>>(
  given: { readonly [Name in keyof Ranges]?: number },
  ranges: Ranges,
  zeroIsDefault: readonly (keyof Ranges)[] = [],
): { readonly [Name in keyof Ranges]: number } {
  const names = Object.keys(ranges) as (keyof Ranges & string)[];
  const pairs = names.map((name) => {
    const range = ranges[name] as Range;
    const [fallback] = range;
    const value = given[name] ?? fallback;
    const isDefault = value === 0 && zeroIsDefault.includes(name);
    return [name, isDefault ? fallback : checked(name, value, range)];
  });
  return Object.fromEntries(pairs) as { readonly [Name in keyof Ranges]: number };
}

/** Times may have fractions, counts and sizes not. */
function checked(name: string, value: number, [, least, greatest]: Range): number {
  const isTime = name.endsWith('Ms');
  const isNumber = isTime ? Number.isFinite(value) : Number.isInteger(value);
  if (isNumber && value >= least && value <= greatest) return value;
  const what = isTime ? 'a time in milliseconds' : 'a whole number';
  throw new StartError(
    'BAD_OPTION',
    `${name} must be ${what} ${rangeText(least, greatest)}, is ${String(value)}`,
  );
}

/** etcd takes counts of 64 bits, larger than is told exactly: those have no greatest value. */
function rangeText(least: number, greatest: number): string {
  return greatest === Number.MAX_VALUE ? `of at least ${least}` : `from ${least} to ${greatest}`;
}
