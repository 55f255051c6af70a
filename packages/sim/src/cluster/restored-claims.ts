/** What must hold of a cluster that was made from a backup (SN1, SN2). */
import { toLatin1, utf8 } from '@etcd-ts/base';
import type { KeyValue, MvccStore } from '@etcd-ts/mvcc';
import { EtcdError } from '@etcd-ts/protocol';
import { type EtcdNode, type Restored, StartError } from '@etcd-ts/server';
import type { InvariantId } from '../checkers/violation.ts';
import { EVERYTHING } from '../history/closing.ts';
import { rangeRequest } from '../workload/wire.ts';
import type { RandomStream } from '../world/random.ts';
import type { State } from './ghost.ts';
import { leasesAt } from './leases-at.ts';
import { MARK, RestoredCaller } from './restored-caller.ts';
import type { RestoredCluster } from './restored-cluster.ts';
import type { SimCluster } from './sim-cluster.ts';

/** What a backup holds, as a plain restore of it shows. */
export interface BackupContent {
  /** The entry after which it was saved. */
  readonly index: number;
  readonly revision: number;
  readonly compactRevision: number;
  readonly keysHash: number;
  readonly kvs: readonly KeyValue[];
  /** The keys at a revision of before. */
  readonly past: { readonly revision: number; readonly kvs: readonly KeyValue[] };
}

/** Old revisions that are read, besides the last ones. */
const OLD_READS = 3;
/** What a restore keeps of a state beside keys and leases, by its place in the state's digest. */
const KEPT_PARTS = { alarms: 2, rights: 3 } as const;
/** The digest of rights that nobody has ever touched: a restore writes down that there are none. */
const NO_RECORD = '0';

/** Judges one backup. */
export class RestoredClaims {
  readonly #add: (invariant: InvariantId, what: string) => void;
  readonly #cluster: SimCluster;
  /** The ids of the old cluster and of all members that it has or had. */
  readonly #oldIds: ReadonlySet<bigint>;
  readonly #content: BackupContent;
  readonly #bumpRevision: number;
  #restored: Restored | undefined;
  /** The revision of the last write to the new cluster. */
  #revision: number;

  constructor(
    cluster: SimCluster,
    content: BackupContent,
    bumpRevision: number,
    add: (invariant: InvariantId, what: string) => void,
  ) {
    this.#cluster = cluster;
    this.#content = content;
    this.#bumpRevision = bumpRevision;
    this.#revision = content.revision + bumpRevision;
    this.#oldIds = idsOf(cluster);
    this.#add = add;
  }

  /** The new cluster is called otherwise, and begins where it was asked to. */
  named(restored: Restored): void {
    this.#restored = restored;
    const { clusterId, memberId } = restored;
    for (const id of [clusterId, memberId]) {
      if (this.#oldIds.has(id)) this.#add('SN1', `restores to an id of the old cluster: ${id}`);
    }
    this.#equal(this.#beginsWith, 'revision', restored.revision, this.#revision);
    this.#equal(this.#beginsWith, 'compaction', restored.compactRevision, this.#compactRevision);
  }

  /** The new member's state, before anything is applied to it, is that of the ghost; its members are others. */
  began(state: State): void {
    const { index, kvs } = this.#content;
    const { store, membership } = state;
    this.#equal('SN1', 'index', state.appliedIndex, index);
    this.#equal(this.#beginsWith, 'revision', store.revision, this.#revision);
    this.#equal(this.#beginsWith, 'compaction', store.compactRevision, this.#compactRevision);
    this.#equal('SN1', 'keys', textOf(keysOf(store)), textOf(kvs));
    this.#equal('SN1', 'leases', leasesIn(state), this.#leases());
    this.#keptParts(state);
    const ids = [...membership.members().map(({ id }) => id), ...membership.removedIds()];
    this.#equal('SN1', 'members', ids.join(), `${this.#restored?.memberId}`);
  }

  /** What a restore keeps beside keys and leases is compared by its digests. */
  #keptParts(state: State): void {
    const known = this.#cluster.ghost.entries[this.#content.index]?.restHash.split('-') ?? [];
    const parts = state.restHash().split('-');
    const { alarms, rights } = KEPT_PARTS;
    this.#equal('SN1', 'digest of its alarms', parts[alarms], known[alarms]);
    if (known[rights] !== NO_RECORD) {
      this.#equal('SN1', 'digest of its rights', parts[rights], known[rights]);
      return;
    }
    const { enabled, revision } = state.auth;
    const count = state.auth.users().length + state.auth.roles().length;
    const rightsText = `${enabled} at ${revision} with ${count} users and roles`;
    this.#equal('SN1', 'authentication', rightsText, 'false at 1 with 0 users and roles');
  }

  /** It answers as one with this state does, and goes on from there. */
  async serves(node: EtcdNode, random: RandomStream): Promise<void> {
    const client = await RestoredCaller.connect(node);
    const { header, kvs } = await client.range();
    this.#equal('SN1', 'keys in an answer', textOf(kvs), textOf(this.#content.kvs));
    this.#equal('SN1', 'cluster id in an answer', header?.clusterId, this.#restored?.clusterId);
    this.#equal('SN1', 'member id in an answer', header?.memberId, this.#restored?.memberId);
    this.#equal(this.#beginsWith, 'revision in an answer', header?.revision, this.#revision);
    await this.#readsBack(client, random);
    await client.lowerAlarms();
    await this.#puts(client);
  }

  /** After another start it still has what was written to it, and goes on. */
  async goesOn(node: EtcdNode): Promise<void> {
    const client = await RestoredCaller.connect(node);
    const { kvs } = await client.range();
    const mark = kvs.find(({ key }) => toLatin1(key) === toLatin1(MARK));
    this.#equal('SN1', 'last write after a restart', mark?.modRevision, this.#revision);
    // What hangs on a lease may have gone with it meanwhile; nothing else has been touched.
    const isOwn = ({ key, lease }: KeyValue): boolean =>
      lease === 0n && toLatin1(key) !== toLatin1(MARK);
    const [was, is] = [this.#content.kvs.filter(isOwn), kvs.filter(isOwn)];
    this.#equal('SN1', 'keys after a restart', textOf(is), textOf(was));
    await this.#puts(client);
  }

  /** A machine of the old cluster is not let in. */
  async isClosedTo(
    stranger: Parameters<RestoredCluster['letIn']>[0],
    restored: RestoredCluster,
  ): Promise<void> {
    try {
      await restored.letIn(stranger);
    } catch (error) {
      if (error instanceof StartError && error.message.includes('knows no member at')) return;
      throw error;
    }
    this.#add(
      'SN1',
      `restores to a cluster that lets machine ${stranger.number} of the old one in`,
    );
  }

  /** What is read of old revisions: what there was, or that it was compacted. */
  async #readsBack(client: RestoredCaller, random: RandomStream): Promise<void> {
    const { past, revision } = this.#content;
    if (this.#bumpRevision === 0) {
      const { kvs } = await client.range(past.revision);
      this.#equal('SN1', `keys at revision ${past.revision}`, textOf(kvs), textOf(past.kvs));
      return;
    }
    const old = Array.from({ length: OLD_READS }, () => random.between(1, revision));
    for (const each of [...old, revision, this.#revision - 1]) {
      const code = await client.range(each).then(() => 'OK', codeOf);
      this.#equal('SN2', `answer to a read at ${each}`, code, 'COMPACTED');
    }
    const from = random.between(1, revision);
    const told = await client.watchFrom(from);
    this.#equal('SN2', `cancellation of a watch from ${from}`, told, this.#revision);
  }

  /** A write gets the next revision; leases that run out meanwhile may have had some. */
  async #puts(client: RestoredCaller): Promise<void> {
    const revision = await client.put();
    const hasLeases = this.#content.kvs.some(({ lease }) => lease !== 0n);
    const next = this.#revision + 1;
    this.#revision = hasLeases ? Math.max(next, revision) : next;
    this.#equal('SN1', 'revision of a write', revision, this.#revision);
  }

  /** Whose business it is where the revisions begin. */
  get #beginsWith(): InvariantId {
    return this.#bumpRevision > 0 ? 'SN2' : 'SN1';
  }

  get #compactRevision(): number {
    return this.#bumpRevision > 0 ? this.#revision : this.#content.compactRevision;
  }

  #leases(): string {
    const { index, kvs } = this.#content;
    const leases = [...leasesAt(this.#cluster.ghost.entries, index)];
    return textOfLeases(
      leases.map(([id, { ttlSeconds, checkpointedSeconds }]) => {
        const keys = kvs.filter(({ lease }) => lease === id).map(({ key }) => toLatin1(key));
        return { id, ttlSeconds, checkpointedSeconds, keys };
      }),
    );
  }

  #equal(invariant: InvariantId, what: string, is: unknown, expected: unknown): void {
    if (is === expected) return;
    this.#add(invariant, `restores to a cluster whose ${what} is ${is}, expected ${expected}`);
  }
}

/** All keys of a store, as of now or of a revision before. */
export function keysOf(store: MvccStore, revision = 0): readonly KeyValue[] {
  return store.range(rangeRequest(EVERYTHING, { rangeEnd: utf8(EVERYTHING), revision })).kvs;
}

function textOf(kvs: readonly KeyValue[]): string {
  const texts = kvs.map(({ key, value, createRevision, modRevision, version, lease }) => {
    const numbers = [createRevision, modRevision, version, lease].join(' ');
    return `${toLatin1(key)}=${toLatin1(value)} (${numbers})`;
  });
  return texts.join(', ');
}

interface LeaseText {
  readonly id: bigint;
  readonly ttlSeconds: number;
  readonly checkpointedSeconds: number;
  readonly keys: readonly string[];
}

function textOfLeases(leases: readonly LeaseText[]): string {
  const texts = leases.map(
    ({ id, ttlSeconds, checkpointedSeconds, keys }) =>
      `${id} ${ttlSeconds} ${checkpointedSeconds} ${keys.join()}`,
  );
  return texts.sort().join(', ');
}

function leasesIn({ lessor }: State): string {
  const leases = [...lessor.leases()].map(({ id, grantedTtlSeconds, checkpointedTtlSeconds }) => {
    const checkpointedSeconds = checkpointedTtlSeconds;
    return { id, ttlSeconds: grantedTtlSeconds, checkpointedSeconds, keys: lessor.keysOf(id) };
  });
  return textOfLeases(leases);
}

/** The ids that a cluster has given away, as far as its members that run know. */
function idsOf({ members }: SimCluster): ReadonlySet<bigint> {
  const ids = new Set<bigint>();
  for (const { id, node, state } of members) {
    if (id !== 0n) ids.add(id);
    if (node !== undefined) ids.add(node.clusterId);
    for (const member of state?.membership.members() ?? []) ids.add(member.id);
    for (const removed of state?.membership.removedIds() ?? []) ids.add(removed);
  }
  return ids;
}

function codeOf(error: unknown): string {
  return EtcdError.from(error).code;
}
