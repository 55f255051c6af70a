/**
 * Random histories against the naive log of the fixture: elections that overwrite what was not committed, snapshots taken
 * and taken in, segments cut and let go, groups with and without sync, orderly closes, kills and power cuts that leave any
 * part of what was not synced.
 *
 * Law: the log after opening is the one after some prefix of the groups, and that prefix has every acknowledged group.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SECTOR_BYTES, type Wal, type WalGroup } from '@etcd-ts/wal';
import { CrashDisk } from '@etcd-ts/wal/testing';
import { command, expectedLog, hardState, mark, open, recoveredOf } from './wal-fixture.ts';

const OPTIONS = { segmentSizeBytes: 2_048, maxSegments: 1 };

/** A step in small numbers, which mean what the history at hand lets them mean. */
type Step =
  | {
      readonly kind: 'entries';
      readonly count: number;
      readonly sizes: number;
      readonly sync: boolean;
    }
  | { readonly kind: 'overwrite'; readonly back: number; readonly sync: boolean }
  | { readonly kind: 'commit'; readonly by: number; readonly sync: boolean }
  | { readonly kind: 'snapshot'; readonly behind: number }
  | { readonly kind: 'install'; readonly ahead: number }
  | { readonly kind: 'settle' }
  | {
      readonly kind: 'reopen';
      readonly how: 'close' | 'kill' | 'power';
      /** Operations on the disk that still succeed. */
      readonly after: number;
      readonly seed: number;
    };

const small = fc.nat({ max: 6 });
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('entries' as const),
      count: small,
      sizes: fc.nat({ max: 700 }),
      sync: fc.boolean(),
    }),
  },
  fc.record({ kind: fc.constant('overwrite' as const), back: small, sync: fc.boolean() }),
  fc.record({ kind: fc.constant('commit' as const), by: small, sync: fc.boolean() }),
  fc.record({ kind: fc.constant('snapshot' as const), behind: small }),
  fc.record({ kind: fc.constant('install' as const), ahead: small }),
  fc.record({ kind: fc.constant('settle' as const) }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('reopen' as const),
      how: fc.constantFrom('close' as const, 'kill' as const, 'power' as const),
      after: fc.nat({ max: 12 }),
      seed: fc.nat({ max: 2 ** 31 - 1 }),
    }),
  },
);

class History {
  readonly disk = new CrashDisk();
  readonly groups: WalGroup[] = [];
  acknowledged = 0;
  wal: Wal | undefined;

  async run(step: Step): Promise<void> {
    if (step.kind === 'settle') return this.#settled();
    if (step.kind === 'reopen') return this.#reopen(step);
    if (step.kind === 'snapshot' || step.kind === 'install') return this.#snapshot(step);
    const group = this.#groupOf(step);
    if (group !== undefined) this.#write(group, step.sync);
  }

  #groupOf(
    step: Exclude<Step, { kind: 'snapshot' | 'install' | 'settle' | 'reopen' }>,
  ): WalGroup | undefined {
    const { entries, hardState: state, snapshotIndex } = expectedLog(this.groups);
    const last = snapshotIndex + entries.length;
    if (step.kind === 'entries') {
      const { term } = state;
      const list = Array.from({ length: step.count }, (_, i) =>
        command(last + 1 + i, term, 'd'.repeat((step.sizes * (i + 1)) % 700)),
      );
      return { entries: list };
    }
    if (step.kind === 'commit') {
      return {
        entries: [],
        hardState: hardState(state.term, Math.min(last, state.commit + step.by)),
      };
    }
    // A new leader replaces some of what was not committed.
    const index = Math.max(state.commit, last - step.back) + 1;
    const term = state.term + 1;
    return { entries: [command(index, term)], hardState: hardState(term, state.commit) };
  }

  #write(group: WalGroup, sync: boolean): void {
    this.groups.push(group);
    const count = this.groups.length;
    this.wal?.write(group, sync, (error) => {
      if (error === undefined && sync) this.acknowledged = count;
    });
  }

  async #snapshot(step: Extract<Step, { kind: 'snapshot' | 'install' }>): Promise<void> {
    const { entries, hardState: state, snapshotIndex } = expectedLog(this.groups);
    let meta = mark(state.commit - step.kind.length, 0);
    if (step.kind === 'install') {
      const term = state.term + 1;
      const index = snapshotIndex + entries.length + step.ahead;
      meta = mark(Math.max(index, state.commit + 1), term);
      this.#write({ snapshot: meta, entries: [], hardState: hardState(term, meta.index) }, true);
    } else {
      const entry = entries.find(({ index }) => index === state.commit - step.behind);
      if (entry === undefined) return;
      meta = mark(entry.index, entry.term);
      this.#write({ snapshot: meta, entries: [] }, true);
    }
    await this.#settled();
    await this.wal?.release(meta.index);
  }

  /** Everything that was written with a sync is acknowledged. */
  async #settled(): Promise<void> {
    await this.wal?.append({ entries: [] }, { sync: true });
  }

  async #reopen({ how, after, seed }: Extract<Step, { kind: 'reopen' }>): Promise<void> {
    if (how === 'close') {
      await this.wal?.close();
      this.acknowledged = this.groups.length;
    } else {
      await this.#stopProcess(after);
    }
    if (how === 'kill') this.disk.kill();
    if (how === 'power') {
      let state = seed;
      const draw = (): number => (state = (Math.imul(state, 48_271) + 11) >>> 1);
      this.disk.crash(() => [true, false, draw() % SECTOR_BYTES][draw() % 3] ?? false);
    }
    await this.check();
  }

  /** Whatever the process does on the disk fails, from so many operations on. */
  async #stopProcess(after: number): Promise<void> {
    let left = after;
    this.disk.onOperation = () => (left-- > 0 ? undefined : { kind: 'power' });
    await this.wal?.close().catch(() => undefined);
    this.disk.onOperation = undefined;
  }

  /** Opens, and holds the law. What was lost was never said; the history goes on without it. */
  async check(): Promise<void> {
    const opened = await open(this.disk, OPTIONS);
    this.wal = opened.wal;
    const recovered = recoveredOf(opened) ?? expectedLog([]);
    for (let count = this.groups.length; count >= this.acknowledged; count--) {
      const expected = expectedLog(this.groups.slice(0, count));
      if (JSON.stringify(expected, text) !== JSON.stringify(recovered, text)) continue;
      this.groups.length = count;
      this.acknowledged = count;
      return;
    }
    expect(recovered).toEqual(expectedLog(this.groups));
  }
}

function text(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}

test(
  'opening gives a prefix of what was written, with everything acknowledged in it',
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { maxLength: 40 }), async (steps) => {
        const history = new History();
        await history.check();
        for (const step of steps) await history.run(step);
        await history.run({ kind: 'reopen', how: 'power', after: 3, seed: steps.length });
        await history.run({ kind: 'reopen', how: 'close', after: 0, seed: 0 });
      }),
      { numRuns: 300 },
    );
  },
);
