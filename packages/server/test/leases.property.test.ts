import { fromUtf8, utf8 } from '@etcd-ts/base';
import { flushStore, memoryBackend } from '@etcd-ts/mvcc';
import { EtcdError } from '@etcd-ts/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Command } from '../src/apply/command.ts';
import { ReplicatedState } from '../src/apply/replicated-state.ts';

const TERM = 3;

/** Leases and keys as two plain maps: what must come out, with no cleverness at all. */
class Naive {
  readonly leases = new Map<bigint, { ttl: number; checkpoint: number; index: number }>();
  readonly keys = new Map<string, bigint>();
  revision = 1;
  index = 0;

  /** Whether the command is carried out. */
  apply(command: Command): boolean {
    this.index++;
    switch (command.kind) {
      case 'leaseGrant': {
        const { ID, TTL } = command.request;
        if (this.leases.has(ID)) return false;
        this.leases.set(ID, { ttl: TTL, checkpoint: 0, index: this.index });
        return true;
      }
      case 'put': {
        const { key, lease, ignoreLease } = command.request;
        const name = fromUtf8(key);
        if (ignoreLease) {
          if (!this.keys.has(name)) return false;
        } else {
          if (lease !== 0n && !this.leases.has(lease)) return false;
          this.keys.set(name, lease);
        }
        this.revision++;
        return true;
      }
      case 'deleteRange':
        if (this.keys.delete(fromUtf8(command.request.key))) this.revision++;
        return true;
      case 'leaseRevoke':
        return this.#revoke(command.request.ID);
      case 'leaseRevokeExpired':
        for (const id of command.ids) {
          const lease = this.leases.get(id);
          if (command.term === TERM && lease !== undefined && lease.index <= command.asOfIndex) {
            this.#revoke(id);
          }
        }
        return true;
      case 'leaseCheckpoint':
        for (const { id, remainingTtlSeconds } of command.checkpoints) {
          const lease = this.leases.get(id);
          if (command.term === TERM && lease !== undefined && lease.index <= command.asOfIndex) {
            lease.checkpoint = remainingTtlSeconds;
          }
        }
        return true;
      default:
        throw new Error(`not in the model: ${command.kind}`);
    }
  }

  keysOf(id: bigint): string[] {
    return [...this.keys]
      .filter(([, lease]) => lease === id)
      .map(([key]) => key)
      .sort();
  }

  #revoke(id: bigint): boolean {
    if (!this.leases.delete(id)) return false;
    const keys = this.keysOf(id);
    if (keys.length > 0) this.revision++;
    for (const key of keys) this.keys.delete(key);
    return true;
  }
}

const id = fc.constantFrom(1n, 2n, 3n, -4n);
const key = fc.constantFrom('a', 'b', 'c', 'd').map(utf8);
const when = fc.record({
  term: fc.constantFrom(TERM, TERM, TERM - 1),
  asOfIndex: fc.integer({ min: 0, max: 40 }),
});

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant('leaseGrant' as const),
    request: fc.record({ ID: id, TTL: fc.integer({ min: 1, max: 100 }) }),
  }),
  fc.record({
    kind: fc.constant('put' as const),
    request: fc
      .record({
        key,
        value: fc.constant(utf8('v')),
        lease: fc.oneof(id, fc.constant(0n)),
        prevKv: fc.boolean(),
        ignoreValue: fc.constant(false),
        ignoreLease: fc.boolean(),
      })
      .map((put) => (put.ignoreLease ? { ...put, lease: 0n } : put)),
  }),
  fc.record({
    kind: fc.constant('deleteRange' as const),
    request: fc.record({ key, rangeEnd: fc.constant(new Uint8Array(0)), prevKv: fc.boolean() }),
  }),
  fc.record({ kind: fc.constant('leaseRevoke' as const), request: fc.record({ ID: id }) }),
  fc
    .tuple(fc.uniqueArray(id, { maxLength: 3 }), when)
    .map(([ids, at]) => ({ kind: 'leaseRevokeExpired' as const, ids, ...at })),
  fc.tuple(id, fc.integer({ min: 0, max: 50 }), when).map(([lease, remainingTtlSeconds, at]) => ({
    kind: 'leaseCheckpoint' as const,
    checkpoints: [{ id: lease, remainingTtlSeconds }],
    ...at,
  })),
);

function expectAlike(state: ReplicatedState, naive: Naive): void {
  const leases = [...state.lessor.leases()].map((lease) => ({
    id: lease.id,
    ttl: lease.grantedTtlSeconds,
    checkpoint: lease.checkpointedTtlSeconds,
    index: lease.grantedIndex,
    keys: state.lessor.keysOf(lease.id),
  }));
  const expected = [...naive.leases].map(([lease, fields]) => ({
    id: lease,
    ...fields,
    keys: naive.keysOf(lease),
  }));
  const byId = (a: { id: bigint }, b: { id: bigint }): number => (a.id < b.id ? -1 : 1);
  expect(leases.sort(byId)).toEqual(expected.sort(byId));
  expect(state.store.revision).toBe(naive.revision);
}

test('leases and their keys are what two plain maps make of the same commands, after a restart too', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
      const backend = memoryBackend();
      const state = await ReplicatedState.open(backend);
      const naive = new Naive();
      for (const [i, one] of commands.entries()) {
        const result = state.apply({ index: i + 1, term: TERM, command: one });
        expect(!EtcdError.is(result)).toBe(naive.apply(one));
        expectAlike(state, naive);
      }
      await flushStore(state.store);
      const again = await ReplicatedState.open(backend);
      expectAlike(again, naive);
      expect(again.stateHash()).toBe(state.stateHash());
    }),
    { numRuns: 150 },
  );
});
