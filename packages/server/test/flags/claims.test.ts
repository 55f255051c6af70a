/** Every documented flag: a bad value is refused before anything begins, and a test shows what it does. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FEATURE_GATES, type FeatureGate } from '../../src/node/flags/feature-gates.ts';
import type { Flag } from '../../src/node/flags/flag.ts';
import { readSettings, type RunSettings } from '../../src/node/flags/settings.ts';
import { FAMILIES, FLAGS } from '../../src/node/flags/table.ts';
import { logStyle } from '../../src/node/log/log-style.ts';
import { resolveOptions } from '../../src/options.ts';
import { type Claim, CLAIMS, GATE_CLAIMS } from './claims.ts';

const root = join(import.meta.dirname, '..', '..', '..', '..');
const documented = FAMILIES.filter(({ title }) => title !== 'Ignored').flatMap(
  ({ flags }) => flags,
);

/** The message with which a command line is refused; undefined when it is not. */
async function refusal(...words: string[]): Promise<string | undefined> {
  const readFile = (path: string): string => readFileSync(path, 'utf8');
  try {
    const settings = readSettings({ words, environment: {}, readFile });
    if (settings.action !== 'run') return undefined;
    const { options, program } = settings as RunSettings;
    await logStyle(program);
    return resolveOptions(options).initialClusterProblem?.message;
  } catch (error) {
    return (error as Error).message;
  }
}

/** What no value of the kind may be. */
function badFor({ kind }: Flag): string | undefined {
  if (kind.goType === 'bool') return 'maybe';
  if (/^u?int|Duration$/.test(kind.goType)) return 'abc';
  if (kind.name.startsWith('URLs')) return 'localhost:1';
  return kind.name.startsWith('`') ? 'bogus' : undefined;
}

function claimOf({ name, target }: Flag): Claim | undefined {
  if ('twinOf' in target) return CLAIMS[target.twinOf];
  if ('gate' in target) return GATE_CLAIMS[target.gate];
  return CLAIMS[name];
}

const hasEffect = ({ target }: Flag): boolean => {
  if ('twinOf' in target) return hasEffect(FLAGS.get(target.twinOf) as Flag);
  if ('gate' in target) return FEATURE_GATES[target.gate].noEffect === undefined;
  return !('noEffect' in target);
};

test('no flag waits to be connected', () => {
  expect(documented.filter(({ target }) => 'isPending' in target).map(({ name }) => name)).toEqual(
    [],
  );
});

test('every claim is about a flag that there is', () => {
  const [with_, without] = [documented.filter(hasEffect), documented.filter((f) => !hasEffect(f))];
  expect(with_.filter((flag) => claimOf(flag) === undefined).map(({ name }) => name)).toEqual([]);
  expect(Object.keys(CLAIMS).filter((name) => !FLAGS.has(name))).toEqual([]);
  expect(without.map(({ name }) => name).filter((name) => CLAIMS[name] !== undefined)).toEqual([]);
  const gates = Object.keys(FEATURE_GATES) as FeatureGate[];
  expect(
    gates.filter(
      (gate) => (GATE_CLAIMS[gate] === undefined) !== (FEATURE_GATES[gate].noEffect !== undefined),
    ),
  ).toEqual([]);
});

describe('a bad value is refused, and named', () => {
  for (const flag of documented) {
    const claim = claimOf(flag)?.bad;
    if (claim === 'any') continue;
    const bad = claim?.[0] ?? badFor(flag);
    if (bad === undefined) continue;
    test(`--${flag.name}=${bad}`, async () => {
      const said = await refusal(`--${flag.name}=${bad}`);
      expect(said).toContain(claim?.[1] ?? `invalid`);
      if (claim === undefined) expect(said).toContain(`-${flag.name}`);
    });
  }

  test('and whoever has a kind without bad values says so', () => {
    const silent = documented.filter(hasEffect).filter((flag) => {
      return badFor(flag) === undefined && claimOf(flag)?.bad === undefined;
    });
    expect(silent.map(({ name }) => name)).toEqual([]);
  });
});

describe('a flag without effect is accepted, and says once that it has none', () => {
  for (const flag of documented) {
    if (!('noEffect' in flag.target)) continue;
    const value = flag.kind.goType === 'string' && flag.fallback === '' ? 'x' : flag.fallback;
    test(`--${flag.name}=${value}`, () => {
      const words = [`--${flag.name}=${value}`, `--${flag.name}=${value}`];
      const settings = readSettings({ words, environment: {}, readFile: () => '' }) as RunSettings;
      const said = settings.remarks.map(({ message }) => message);
      expect(
        said.filter((message) => message.startsWith(`--${flag.name} has no effect: `)),
      ).toHaveLength(1);
    });
  }
});

test('the test that shows what a flag does is there', () => {
  const missing = [...Object.entries(CLAIMS), ...Object.entries(GATE_CLAIMS)].filter(
    ([
      ,
      {
        shown: [file, title],
      },
    ]) => {
      const path = join(root, file);
      return !existsSync(path) || !readFileSync(path, 'utf8').includes(title.replaceAll("'", "'"));
    },
  );
  expect(missing.map(([name, { shown }]) => [name, ...shown])).toEqual([]);
});
