/**
 * The whole state as the buckets of etcd's database: what etcd's own tools read, and a real etcd starts from.
 *
 * The keys are those of a copy that is taken by turns; everything else is as it was when the copy was taken, for none of
 * it is ever changed in place.
 */
import { compareBytes, EMPTY_BYTES, idToHex, utf8 } from '@etcd-ts/base';
import type { StoreCopy } from '@etcd-ts/mvcc';
import { AlarmMember, Lease, Role, User } from '@etcd-ts/protocol';
import type { ConfState } from '@etcd-ts/raft';
import type { ReplicatedState } from '../apply/replicated-state.ts';
import type { AuthRole, AuthUser } from '../auth/auth-state.ts';
import type { BboltEntry } from '../bbolt/format.ts';
import type { BucketSource } from '../bbolt/write-database.ts';
import { decodeLeaseRecord, LEASE_RECORD_PREFIX } from '../lease/lease-record.ts';
import type { Member } from '../membership/member.ts';
import { compareMinors, withPatch } from '../services/version.ts';
import * as etcd from './etcd-buckets.ts';

/** Rows that are made in one turn: some tenths of a millisecond. */
const STEP_ROWS = 128;
/** From this version on the database says in which form it is. */
const STORAGE_VERSION_SINCE = '3.6';

/** Gives others their turn. */
type ATurn = () => Promise<void>;

/** The buckets, in the order of their names. To be called in the turn in which the copy was taken. */
export function backupBuckets(
  state: ReplicatedState,
  copy: StoreCopy,
  aTurn: ATurn,
): readonly BucketSource[] {
  const { alarms, auth, membership } = state;
  const leases = copy.blobs.filter(([name]) => name.startsWith(LEASE_RECORD_PREFIX));
  return [
    rows(etcd.ALARM, alarms.list().map(alarmRow).sort(byKey)),
    rows(etcd.AUTH, authRows(auth)),
    bucket(etcd.AUTH_ROLES, auth.roles(), roleRow, aTurn),
    bucket(etcd.AUTH_USERS, auth.users(), userRow, aTurn),
    rows(etcd.CLUSTER, clusterRows(state)),
    keys(copy),
    bucket(etcd.LEASE, leases, leaseRow, aTurn),
    rows(etcd.MEMBERS, membership.members().map(memberRow).sort(byKey)),
    rows(etcd.MEMBERS_REMOVED, membership.removedIds().map(removedRow).sort(byKey)),
    rows(etcd.META, metaRows(state, copy).sort(byKey)),
  ];
}

/** A bucket whose rows are made when they are wanted. @param items In the order of the rows' keys. */
function bucket<Item>(
  name: string,
  items: readonly Item[],
  row: (item: Item) => BboltEntry,
  aTurn: ATurn,
): BucketSource {
  async function* entries(): AsyncGenerator<readonly BboltEntry[], void, undefined> {
    for (let at = 0; at < items.length; at += STEP_ROWS) {
      await aTurn();
      yield items.slice(at, at + STEP_ROWS).map(row);
    }
  }
  return {
    name,
    entries,
    measure: async (entry) => {
      for await (const batch of entries()) {
        for (const [key, value] of batch) entry(key.length, value.length);
      }
    },
  };
}

/** A bucket of a few rows. */
function rows(name: string, all: readonly BboltEntry[]): BucketSource {
  return bucket(
    name,
    all,
    (row) => row,
    () => Promise.resolve(),
  );
}

/**
 * Records are kept as etcd's, with one byte before their names. A revision that was jumped to has a record without
 * content, as `etcdutl snapshot restore --bump-revision` makes it: a revision is read off the last record.
 */
function keys(copy: StoreCopy): BucketSource {
  return {
    name: etcd.KEY,
    measure: async (entry) => {
      await copy.measure((nameBytes, recordBytes) => entry(nameBytes - 1, recordBytes));
      if (copy.hasJumped) entry(etcd.REVISION_BYTES, 0);
    },
    async *entries() {
      for await (const records of copy.records()) {
        yield records.map(([name, record]): BboltEntry => [name.subarray(1), record]);
      }
      if (copy.hasJumped) yield [[etcd.revisionBytes(copy.revision), EMPTY_BYTES]];
    },
  };
}

function alarmRow(alarm: AlarmMember): BboltEntry {
  return [AlarmMember.encode(alarm), EMPTY_BYTES];
}

function authRows({ enabled, revision }: ReplicatedState['auth']): BboltEntry[] {
  const enabledRow: BboltEntry = [utf8(etcd.AUTH_ENABLED), new Uint8Array([1])];
  return [...(enabled ? [enabledRow] : []), [utf8(etcd.AUTH_REVISION), etcd.uint64Bytes(revision)]];
}

function roleRow({ name, permissions }: AuthRole): BboltEntry {
  const bytes = utf8(name);
  return [bytes, Role.encode(Role.fromPartial({ name: bytes, keyPermission: [...permissions] }))];
}

function userRow({ name, passwordHash, noPassword, roles }: AuthUser): BboltEntry {
  const bytes = utf8(name);
  const user = { name: bytes, password: passwordHash, roles: [...roles], options: { noPassword } };
  return [bytes, User.encode(User.fromPartial(user))];
}

function leaseRow([name, record]: readonly [string, Uint8Array]): BboltEntry {
  const { id, grantedTtlSeconds, checkpointedTtlSeconds } = decodeLeaseRecord(name, record);
  const lease = { ID: id, TTL: grantedTtlSeconds, RemainingTTL: checkpointedTtlSeconds };
  return [etcd.uint64Bytes(id), Lease.encode(lease)];
}

function clusterRows({ versions: { cluster, downgradeTarget } }: ReplicatedState): BboltEntry[] {
  const found: BboltEntry[] = [];
  if (cluster !== undefined) found.push(text(etcd.CLUSTER_VERSION, withPatch(cluster)));
  if (downgradeTarget !== undefined) {
    const downgrade = { 'target-version': withPatch(downgradeTarget), enabled: true };
    found.push(text(etcd.DOWNGRADE, JSON.stringify(downgrade)));
  }
  return found;
}

/** Ids are larger than the numbers that JSON.stringify knows. */
function memberRow({ id, name, peerUrls, clientUrls, isLearner }: Member): BboltEntry {
  const rest = {
    peerURLs: peerUrls,
    ...(isLearner ? { isLearner } : {}),
    ...(name === '' ? {} : { name }),
    ...(clientUrls.length === 0 ? {} : { clientURLs: clientUrls }),
  };
  return text(idToHex(id), `{"id":${id},${JSON.stringify(rest).slice(1)}`);
}

function removedRow(id: bigint): BboltEntry {
  return text(idToHex(id), 'removed');
}

function metaRows({ confState, versions }: ReplicatedState, copy: StoreCopy): BboltEntry[] {
  const { applied, compactRevision } = copy;
  const { cluster } = versions;
  const isNamed = cluster !== undefined && compareMinors(cluster, STORAGE_VERSION_SINCE) >= 0;
  const compacted = etcd.revisionBytes(Math.max(0, compactRevision));
  return [
    text(etcd.CONF_STATE, confStateJson(confState)),
    [utf8(etcd.CONSISTENT_INDEX), etcd.uint64Bytes(applied.index)],
    [utf8(etcd.TERM), etcd.uint64Bytes(applied.term)],
    ...(compactRevision < 0
      ? []
      : [etcd.SCHEDULED_COMPACT, etcd.FINISHED_COMPACT].map((name): BboltEntry => [
          utf8(name),
          compacted,
        ])),
    ...(isNamed ? [text(etcd.STORAGE_VERSION, withPatch(cluster))] : []),
  ];
}

/** raftpb.ConfState as Go's encoding/json writes it. */
function confStateJson(state: ConfState): string {
  const lists = [
    ['voters', state.voters],
    ['learners', state.learners],
    ['voters_outgoing', state.votersOutgoing],
    ['learners_next', state.learnersNext],
  ] as const;
  const fields = lists
    .filter(([, ids]) => ids.length > 0)
    .map(([name, ids]) => `"${name}":[${ids.join(',')}]`);
  return `{${[...fields, `"auto_leave":${state.autoLeave}`].join(',')}}`;
}

function text(key: string, value: string): BboltEntry {
  return [utf8(key), utf8(value)];
}

function byKey([a]: BboltEntry, [b]: BboltEntry): number {
  return compareBytes(a, b);
}
