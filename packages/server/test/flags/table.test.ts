/** The table of flags beside etcd's own list: names, defaults and releases (etcd-flags.tsv), and docs/flags.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { flagsDocument } from '../../src/node/flags/document.ts';
import { FEATURE_GATES } from '../../src/node/flags/feature-gates.ts';
import type { Flag } from '../../src/node/flags/flag.ts';
import { DEFAULT_LOG_ROTATION } from '../../src/node/flags/program.ts';
import { readSettings } from '../../src/node/flags/settings.ts';
import { FAMILIES, FLAGS } from '../../src/node/flags/table.ts';
import { type ResolvedOptions, resolveOptions } from '../../src/options.ts';

interface EtcdFlag {
  readonly name: string;
  readonly kind: string;
  readonly in35: string;
  readonly in36: string;
  readonly releases: readonly string[];
}

const here = import.meta.dirname;
const [, ...lines] = readFileSync(join(here, 'etcd-flags.tsv'), 'utf8').trimEnd().split('\n');
const ETCD: readonly EtcdFlag[] = lines.map((line) => {
  const [name = '', kind = '', in35 = '', in36 = '', releases = ''] = line.split('\t');
  return { name, kind, in35, in36, releases: releases.split(',') };
});

/** Of `0 (=1000)` and `5s (minimum 5s)` the default is what stands first; of `'' (=map)` what is meant by it. */
function plain(text: string): string {
  if (text === "'' (=map)") return 'map';
  if (text.startsWith('{')) return DEFAULT_LOG_ROTATION;
  return text.replace(/ \(.*$/, '').replace(/^''$/, '');
}

test('every server flag of etcd 3.5 and 3.6 has a row, and every row is such a flag', () => {
  const extra = ['experimental-max-learners'];
  const names = ETCD.map(({ name }) => name);
  expect([...FLAGS.keys()].sort()).toEqual([...names, ...extra].sort());
});

test('no name stands in two families', () => {
  const names = FAMILIES.flatMap(({ flags }) => flags).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

const SHOWN_OTHERWISE: Readonly<Record<string, string>> = {
  'data-dir': "'' (=<name>.etcd)",
  'initial-cluster': '<name>=http://localhost:2380',
};

test("every row has etcd's releases", () => {
  for (const { name, releases } of ETCD) {
    const { since, until } = FLAGS.get(name) ?? {};
    const ours = { name, in35: since !== '3.6', in36: until !== '3.5' };
    expect(ours).toEqual({ name, in35: releases.includes('3.5'), in36: releases.includes('3.6') });
  }
});

test("every row has etcd's defaults", () => {
  for (const { name, kind, in35, in36 } of ETCD) {
    if (kind === 'ignored' || Object.hasOwn(SHOWN_OTHERWISE, name)) continue;
    const flag = FLAGS.get(name) as Flag;
    const meaning = (text: string): unknown => ({ name, default: flag.kind.read(text) });
    const isAlias = /deprecated alias/.test(in36);
    if (in36 !== '-' && !isAlias) expect(meaning(flag.fallback)).toEqual(meaning(plain(in36)));
    if (in35 === '-') continue;
    expect(meaning(flag.fallbackIn35 ?? flag.fallback)).toEqual(meaning(plain(in35)));
  }
});

/** Options as they are when nothing is given, and when every default is given in words. */
function resolved(words: readonly string[]): ResolvedOptions {
  const settings = readSettings({ words, environment: {}, readFile: () => '' });
  if (settings.action !== 'run') throw new Error(settings.action);
  return resolveOptions(settings.options);
}

test('what happens without a flag is what happens with its documented default', () => {
  const plainly = resolved([]);
  for (const { name, fallback, target } of FLAGS.values()) {
    if (fallback.includes('${name}') || !('option' in target)) continue;
    const word = `--${name}=${fallback}`;
    const words = name === 'listen-client-urls' ? [word, '--advertise-client-urls='] : [word];
    expect({ word, options: resolved(words) }).toEqual({ word, options: plainly });
  }
});

test('twins take what the flag in their place takes', () => {
  for (const { name, kind, target } of FLAGS.values()) {
    if (!('twinOf' in target)) continue;
    expect({ name, kind: FLAGS.get(target.twinOf)?.kind }).toEqual({ name, kind });
  }
});

test("gates are etcd's", () => {
  expect(
    Object.fromEntries(Object.entries(FEATURE_GATES).map(([name, row]) => [name, row.fallback])),
  ).toEqual({
    StopGRPCServiceOnDefrag: false,
    InitialCorruptCheck: false,
    CompactHashCheck: false,
    TxnModeWriteWithSharedBuffer: true,
    LeaseCheckpoint: false,
    LeaseCheckpointPersist: false,
    SetMemberLocalAddr: false,
  });
});

test('docs/flags.md is what the table says (npm run flags writes it)', () => {
  const page = readFileSync(join(here, '..', '..', '..', '..', 'docs', 'flags.md'), 'utf8');
  expect(page).toBe(flagsDocument());
});
