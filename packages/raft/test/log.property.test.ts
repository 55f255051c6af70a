/** The log against a plain list of entries. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry } from '@etcd-ts/raft';
import { payloadBytes, RaftLog } from '../src/log.ts';

type Step =
  | {
      readonly do: 'append';
      readonly termGap: number;
      readonly isConfig: boolean;
      readonly size: number;
    }
  | { readonly do: 'truncate' | 'commit' | 'compact'; readonly part: number };

const part = fc.integer({ min: 0, max: 100 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      termGap: fc.constantFrom(0, 0, 0, 1, 2),
      isConfig: fc.boolean(),
      size: fc.nat(30),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('truncate', 'commit', 'compact'), part }),
  },
);

function payloadOf({ isConfig, size }: Step & { do: 'append' }): Entry['payload'] {
  const bytes = new Uint8Array(size);
  if (!isConfig) return { kind: 'command', data: bytes };
  return { kind: 'config', change: { steps: [], transition: 'auto', context: bytes } };
}

/** A mark `part` percent of the way from `low` to `high`. */
const between = (low: number, high: number, percent: number): number =>
  low + Math.floor(((high - low) * percent) / 100);

class Model {
  entries: Entry[] = [];
  offset = 0;
  offsetTerm = 0;
  commit = 0;

  get last(): number {
    return this.offset + this.entries.length;
  }

  termAt(index: number): number | undefined {
    if (index === this.offset) return this.offsetTerm;
    return this.entries.find((entry) => entry.index === index)?.term;
  }

  /** The definition, by walking backwards. */
  findByTerm(index: number, term: number): { index: number; term: number } {
    for (let at = Math.min(index, this.last); at >= this.offset; at--) {
      const own = this.termAt(at) ?? 0;
      if (own <= term) return { index: at, term: own };
    }
    return { index: Math.max(0, Math.min(index, this.offset - 1)), term: 0 };
  }

  page(from: number, to: number, maxBytes: number): Entry[] {
    const page: Entry[] = [];
    let bytes = 0;
    for (const entry of this.entries.filter(({ index }) => index >= from && index <= to)) {
      bytes += payloadBytes(entry.payload);
      if (bytes > maxBytes && page.length > 0) break;
      page.push(entry);
    }
    return page;
  }
}

function apply(each: Step, log: RaftLog, model: Model): void {
  switch (each.do) {
    case 'append': {
      const term = (model.termAt(model.last) ?? 0) + each.termGap;
      const entry: Entry = { index: model.last + 1, term, payload: payloadOf(each) };
      log.append(entry);
      model.entries.push(entry);
      return;
    }
    case 'truncate': {
      const after = between(model.commit, model.last, each.part);
      log.truncateAfter(after);
      model.entries = model.entries.filter(({ index }) => index <= after);
      return;
    }
    case 'commit': {
      const to = between(model.commit, model.last, each.part);
      expect(log.commitTo(to)).toBe(to > model.commit);
      model.commit = to;
      log.applying = to;
      log.applied = to;
      return;
    }
    case 'compact': {
      const to = between(model.offset, model.commit, each.part);
      log.compactTo(to);
      model.offsetTerm = model.termAt(to) ?? 0;
      model.offset = to;
      model.entries = model.entries.filter(({ index }) => index > to);
      return;
    }
  }
}

describe('the log', () => {
  test('is a list of entries behind its compaction point', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        let log = new RaftLog(0, 0);
        const model = new Model();
        for (const each of steps) {
          apply(each, log, model);
          log = log.clone();
          expect([log.firstIndex, log.lastIndex, log.commit]).toEqual([
            model.offset + 1,
            model.last,
            model.commit,
          ]);
          for (let index = 0; index <= model.last + 1; index++) {
            expect(log.termAt(index)).toBe(model.termAt(index));
          }
          const configs = model.entries.filter(({ payload }) => payload.kind === 'config');
          expect(log.configIndexes).toEqual(configs.map(({ index }) => index));
          const uncommitted = model.entries.filter(({ index }) => index > model.commit);
          const bytes = uncommitted.reduce((sum, { payload }) => sum + payloadBytes(payload), 0);
          expect(log.uncommittedBytes).toBe(bytes);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('finds the largest index of at most a term as walking backwards does', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.nat(45),
        fc.nat(20),
        (steps, index, term) => {
          const log = new RaftLog(0, 0);
          const model = new Model();
          for (const each of steps) apply(each, log, model);
          if (index < model.offset) return;
          expect(log.findByTerm(index, term)).toEqual(model.findByTerm(index, term));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('pages by bytes, but holds at least one entry', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.nat(45),
        fc.nat(300),
        (steps, from, bytes) => {
          const log = new RaftLog(0, 0);
          const model = new Model();
          for (const each of steps) apply(each, log, model);
          const start = Math.max(from, log.firstIndex);
          expect(log.page(start, log.lastIndex, bytes)).toEqual(
            model.page(start, model.last, bytes),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test('refuses to cut off what is committed', () => {
    const log = new RaftLog(0, 0);
    log.append({ index: 1, term: 1, payload: { kind: 'empty' } });
    log.commitTo(1);
    expect(() => log.truncateAfter(0)).toThrow('would lose entries committed through 1');
  });
});
