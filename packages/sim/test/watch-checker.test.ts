import { utf8 } from '@etcd-ts/base';
import { describe, expect, it } from 'vitest';
import { checkWatches } from '../src/checkers/watch.ts';
import {
  isProgress,
  type WatchRecord,
  type WatchResponseRecord,
} from '../src/history/watch-record.ts';
import { makeHistory } from './fixtures/history-maker.ts';

const history = makeHistory({ seed: 21, operations: 500, watchers: 12 });

const judge = (
  watches: readonly WatchRecord[],
  compacted = 0,
  compactedBy = (_at: number): number => compacted,
): string[] => [
  ...new Set(
    checkWatches({
      watches,
      model: history.model,
      compactedBy,
      mustBeAtHead: () => true,
    }).map((each) => each.invariant),
  ),
];

/** A watch on everything with previous values, that received many events. */
const whole = history.watches.find(
  (watch) =>
    watch.rangeEnd.length > 0 && watch.prevKv && !watch.noDelete && watch.responses.length > 40,
)!;
const later = (watch: WatchRecord): number[] =>
  watch.responses.flatMap((response, i) => (response.events.length > 0 && i > 10 ? [i] : []));
const change = (
  at: number,
  by: (response: WatchResponseRecord) => readonly WatchResponseRecord[],
): WatchRecord => ({
  ...whole,
  responses: whole.responses.flatMap((response, i) => (i === at ? by(response) : [response])),
});
/** The watch as it was before its `some`-th response, and something else in place of the rest. */
const cutAt = (...rest: readonly WatchResponseRecord[]): WatchRecord => ({
  ...whole,
  responses: [...whole.responses.slice(0, some), ...rest],
});
const [some, next] = later(whole) as [number, number];
const [progressing, progress] = history.watches.flatMap((watch) => {
  const found = watch.responses.findLast((each) => isProgress(each));
  return found === undefined ? [] : [[watch, found] as const];
})[0]!;

describe('the watch checker', () => {
  it('accepts watches that are right', () => {
    for (let seed = 0; seed < 40; seed++) {
      const made = makeHistory({ seed, operations: 300, watchers: 6 });
      expect(
        checkWatches({
          watches: made.watches,
          model: made.model,
          compactedBy: () => 0,
          mustBeAtHead: () => true,
        }),
      ).toEqual([]);
    }
    expect(judge([whole])).toEqual([]);
  });

  it('sees a dropped event (W5)', () => {
    expect(judge([change(some, (each) => [{ ...each, events: each.events.slice(1) }])])).toContain(
      'W5',
    );
  });

  it('sees a dropped response (W5)', () => {
    expect(judge([change(some, () => [])])).toContain('W5');
  });

  it('sees the first event left out (W6)', () => {
    const first = whole.responses.findIndex((each) => each.events.length > 0);
    expect(judge([change(first, (each) => [{ ...each, events: each.events.slice(1) }])])).toContain(
      'W6',
    );
  });

  it('sees an event that comes twice (W3)', () => {
    expect(
      judge([change(some, (each) => [{ ...each, events: [...each.events, each.events.at(-1)!] }])]),
    ).toContain('W3');
  });

  it('sees events out of order (W2)', () => {
    const [a, b] = [whole.responses[some]!, whole.responses[next]!];
    const swapped = {
      ...whole,
      responses: whole.responses.map((each, i) =>
        i === some ? { ...a, events: b.events } : i === next ? { ...b, events: a.events } : each,
      ),
    };
    expect(judge([swapped])).toContain('W2');
  });

  it('sees a revision split over two responses (W4)', () => {
    const at = whole.responses.findIndex((each, i) => i > 10 && each.events.length === 1);
    expect(judge([change(at, (each) => [each, each])])).toContain('W4');
  });

  it('sees an event after progress has passed it (W7)', () => {
    expect(
      judge([
        change(some, (each) => [
          { ...each, events: [], headerRevision: each.events[0]!.kv.modRevision },
          each,
        ]),
      ]),
    ).toContain('W7');
  });

  it('sees progress that goes back (W7)', () => {
    const at = progressing.responses.indexOf(progress);
    const again = { ...progress, headerRevision: progress.headerRevision - 1 };
    const responses = [...progressing.responses.slice(0, at + 1), again];
    expect(judge([{ ...progressing, responses }])).toContain('W7');
  });

  it("sees another key's event (W1)", () => {
    const foreign = { ...whole, key: utf8('l'), rangeEnd: utf8('m') };
    expect(judge([foreign])).toContain('W1');
  });

  it('sees a filtered kind of event (W1)', () => {
    expect(judge([{ ...whole, noPut: true }])).toContain('W1');
  });

  it('sees a wrong value, version or lease (W5)', () => {
    for (const wrong of [
      { value: utf8('x') },
      { version: 99 },
      { lease: 77n },
      { createRevision: 1 },
    ]) {
      const record = change(some, (each) => [
        {
          ...each,
          events: each.events.map((event) => ({ ...event, kv: { ...event.kv, ...wrong } })),
        },
      ]);
      expect(judge([record])).toContain('W5');
    }
  });

  it('sees a wrong or missing previous value (W8), and lets a compacted one be missing', () => {
    const at = whole.responses.findIndex((each) => each.events[0]?.prevKv !== undefined);
    const without = change(at, (each) => [
      { ...each, events: each.events.map((event) => ({ ...event, prevKv: undefined })) },
    ]);
    expect(judge([without])).toContain('W8');
    expect(judge([without], 10_000)).toEqual([]);
    // What is compacted after the event was told takes nothing from it.
    const toldAt = whole.responses[at]!.at;
    expect(judge([without], 0, (asked) => (asked > toldAt ? 10_000 : 0))).toContain('W8');
    const wrong = change(at, (each) => [
      { ...each, events: each.events.map((event) => ({ ...event, prevKv: event.kv })) },
    ]);
    expect(judge([wrong], 10_000)).toContain('W8');
  });

  it('sees what comes from before the start (W9, W11)', () => {
    expect(judge([{ ...whole, startRevision: 100 }])).toContain('W9');
    const fromNow = history.watches.find(
      (watch) =>
        watch.startRevision === 0 && watch.responses.some((each) => each.events.length > 0),
    )!;
    const late = {
      ...fromNow,
      responses: fromNow.responses.map((each, i) =>
        i === 0 ? { ...each, headerRevision: 300 } : each,
      ),
    };
    expect(judge([late])).toContain('W11');
  });

  it('sees a cancellation that no compaction explains, and anything after it (W10)', () => {
    const canceled = {
      ...whole.responses[some]!,
      events: [],
      canceled: true,
      compactRevision: 1000,
    };
    expect(judge([change(some, () => [canceled])])).toContain('W10');
    expect(judge([change(some, (each) => [canceled, each])], 1000)).toContain('W10');
    const needless = { ...canceled, compactRevision: 2 };
    expect(judge([change(some, () => [needless])], 1000)).toContain('W10');
    const early = (at: number): number => (at > canceled.at ? 1000 : 0);
    expect(judge([cutAt(canceled)], 0, early)).toEqual(['W10']);
    expect(judge([cutAt(canceled)], 1000)).toEqual([]);
  });

  it('sees a cancellation at the very revision that the watch needs next (W10)', () => {
    const last = whole.responses.slice(0, some).findLast((each) => each.events.length > 0)!;
    const needed = Math.max(last.events.at(-1)!.kv.modRevision, last.headerRevision) + 1;
    const canceled = { ...whole.responses[some]!, events: [], canceled: true };
    const progress = { ...canceled, canceled: false, headerRevision: needed - 1 };
    const cut = (compactRevision: number): WatchRecord =>
      cutAt(progress, { ...canceled, compactRevision });
    expect(judge([cut(needed)], 1000)).toContain('W10');
    expect(judge([cut(needed + 1)], 1000)).not.toContain('W10');
  });

  it('sees a cancellation without a reason, unless the client wanted it, or one with events (W10)', () => {
    const canceled = { ...whole.responses[some]!, events: [], canceled: true };
    expect(judge([cutAt(canceled)])).toEqual(['W10']);
    expect(judge([{ ...cutAt(canceled), isGivenUp: true }])).toEqual([]);
    const last = { ...whole.responses[some]!, canceled: true };
    expect(judge([{ ...cutAt(last), isGivenUp: true }])).toEqual(['W10']);
  });

  it('sees a watch that never reaches the head (W12)', () => {
    const short = { ...whole, responses: whole.responses.slice(0, some) };
    expect(judge([short])).toEqual(['W12']);
  });

  it('sees a header that is older than its events (K2)', () => {
    expect(judge([change(some, (each) => [{ ...each, headerRevision: 1 }])])).toContain('K2');
  });
});
