/** Caches that list and watch (W13): each holds what the store held at its revision. */
import { toLatin1, utf8 } from '@etcd-ts/base';
import type { EtcdModel } from '../model/etcd-model.ts';
import { Findings, type Violation } from './violation.ts';

/** What a client's cache holds at the end. */
export interface CacheRecord {
  readonly client: number;
  /** The last revision of which it has heard; 0: it is being filled. */
  revision: number;
  /** The modification revision of each key. */
  readonly keys: Map<string, number>;
}

/** Judges caches of all keys with this prefix, by the replayed history. */
export function checkCaches(
  caches: readonly CacheRecord[],
  prefix: string,
  prefixEnd: string,
  model: EtcdModel,
): readonly Violation[] {
  const findings = new Findings();
  for (const { client, revision, keys } of caches) {
    if (revision === 0) continue;
    const present = model.space.keysAt(toLatin1(utf8(prefix)), toLatin1(utf8(prefixEnd)), revision);
    const expected = new Map(
      present.map((key) => [key, model.space.at(key, revision)?.modRevision ?? 0] as const),
    );
    for (const key of new Set([...keys.keys(), ...expected.keys()])) {
      const [has, wanted] = [keys.get(key) ?? 0, expected.get(key) ?? 0];
      if (has === wanted) continue;
      findings.add(
        'W13',
        `the cache of client ${client} at revision ${revision} has ${key} of ${has}, the store of ${wanted}`,
      );
    }
  }
  return findings.violations;
}
