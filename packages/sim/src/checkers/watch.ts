/**
 * Watches (W1 to W12) against the events that the replay of the history gives: one walk over both, in order.
 */
import { toLatin1 } from '@etcd-ts/base';
import { type Event, EVENT_DELETE, EVENT_PUT } from '@etcd-ts/mvcc';
import type { WatchRecord, WatchResponseRecord } from '../history/watch-record.ts';
import { isProgress } from '../history/watch-record.ts';
import type { EtcdModel } from '../model/etcd-model.ts';
import { rangeLimits } from '../model/key-space.ts';
import { firstDifferenceOf, show } from './difference.ts';
import { Findings, type Violation } from './violation.ts';

/** What watches are judged by. */
export interface WatchEvidence {
  readonly watches: readonly WatchRecord[];
  /** The model with the whole history replayed. */
  readonly model: EtcdModel;
  /** The furthest revision that anybody had asked to compact by a position; previous values before it may be missing. */
  readonly compactedBy: (at: number) => number;
  /** Watches that must have seen everything through the head by now (W12); undefined: none has to. */
  readonly mustBeAtHead?: ((watch: WatchRecord) => boolean) | undefined;
}

/** Judges every watch. */
export function checkWatches(evidence: WatchEvidence): readonly Violation[] {
  const findings = new Findings();
  evidence.watches.forEach((watch, i) => new WatchWalk(evidence, watch, i, findings).run());
  return findings.violations;
}

/** The walk over one watch's responses and the events that they should hold. */
class WatchWalk {
  readonly #evidence: WatchEvidence;
  readonly #watch: WatchRecord;
  readonly #name: string;
  readonly #findings: Findings;
  readonly #key: string;
  readonly #end: string | undefined;
  /** Everything below this revision has been accounted for. */
  #nextRevision = 0;
  #lastEventRevision = 0;
  #progressRevision = 0;
  #created = false;
  #canceled = false;
  /** Revision, key and kind of the events of the newest revision seen, for W3. */
  #seenAtRevision = new Set<string>();

  constructor(evidence: WatchEvidence, watch: WatchRecord, number: number, findings: Findings) {
    this.#evidence = evidence;
    this.#watch = watch;
    this.#findings = findings;
    this.#key = toLatin1(watch.key);
    this.#end = rangeLimits(this.#key, toLatin1(watch.rangeEnd));
    this.#name = `watch ${number} of client ${watch.client} on ${show(watch.key)} from ${watch.startRevision}`;
  }

  run(): void {
    for (const response of this.#watch.responses) {
      if (this.#findings.isFull) return;
      if (this.#canceled) {
        this.#add('W10', `received a response after it was cancelled`, response);
        return;
      }
      if (response.created) this.#onCreated(response);
      else if (!this.#created)
        this.#add('W6', 'received a response before it was created', response);
      if (response.canceled) this.#onCanceled(response);
      else if (isProgress(response)) this.#onProgress(response);
      else if (response.events.length > 0) this.#onEvents(response);
    }
    if (this.#evidence.mustBeAtHead?.(this.#watch) === true && !this.#canceled) this.#checkHead();
  }

  #onCreated(response: WatchResponseRecord): void {
    if (this.#created) this.#add('W6', 'was created twice', response);
    this.#created = true;
    const { startRevision } = this.#watch;
    this.#nextRevision = startRevision > 0 ? startRevision : response.headerRevision + 1;
  }

  #onCanceled(response: WatchResponseRecord): void {
    this.#canceled = true;
    const { compactRevision } = response;
    if (response.events.length > 0) {
      this.#add(
        'W10',
        `was cancelled by a response with ${response.events.length} events`,
        response,
      );
    }
    if (compactRevision === 0) {
      // Who is refused is told so at once, and why (`watch-rights.ts`).
      if (!response.created && this.#watch.isGivenUp !== true) {
        this.#add('W10', `was cancelled and told nothing but "${response.cancelReason}"`, response);
      }
      return;
    }
    if (compactRevision > this.#evidence.compactedBy(response.at)) {
      this.#add('W10', `was cancelled at ${compactRevision}, which nobody compacted`, response);
    }
    if (compactRevision <= this.#nextRevision) {
      this.#add(
        'W10',
        `was cancelled at compact revision ${compactRevision}, although it needs nothing before ${this.#nextRevision}`,
        response,
      );
    }
  }

  #onProgress(response: WatchResponseRecord): void {
    const revision = response.headerRevision;
    if (revision < this.#progressRevision || revision < this.#lastEventRevision) {
      this.#add(
        'W7',
        `told progress ${revision} after progress ${this.#progressRevision} and an event of ${this.#lastEventRevision}`,
        response,
      );
    }
    if (revision < this.#watch.startRevision) {
      this.#add('W9', `told progress ${revision} before its start`, response);
    }
    this.#skipThrough(revision, response);
    this.#progressRevision = Math.max(this.#progressRevision, revision);
  }

  #onEvents(response: WatchResponseRecord): void {
    const first = response.events[0]?.kv.modRevision ?? 0;
    if (first === this.#lastEventRevision) {
      this.#add('W4', `split the events of revision ${first} over two responses`, response);
    }
    let at = 0;
    while (at < response.events.length) {
      const revision = response.events[at]?.kv.modRevision ?? 0;
      let end = at + 1;
      while (response.events[end]?.kv.modRevision === revision) end++;
      this.#onRevision(revision, response.events.slice(at, end), response);
      at = end;
    }
    if (response.headerRevision < this.#lastEventRevision) {
      this.#add(
        'K2',
        `carries header revision ${response.headerRevision} with an event of ${this.#lastEventRevision}`,
        response,
      );
    }
  }

  #onRevision(revision: number, events: readonly Event[], response: WatchResponseRecord): void {
    for (const event of events) this.#checkOwn(event, response);
    this.#checkUnique(revision, events, response);
    if (revision < this.#lastEventRevision) {
      this.#add('W2', `received ${revision} after ${this.#lastEventRevision}`, response);
      return;
    }
    if (revision <= this.#progressRevision) {
      this.#add('W7', `received ${revision} after progress ${this.#progressRevision}`, response);
      return;
    }
    if (revision < this.#nextRevision) {
      const invariant = this.#lastEventRevision === 0 ? this.#beforeStart() : 'W3';
      this.#add(invariant, `received ${revision}, but starts at ${this.#nextRevision}`, response);
      return;
    }
    this.#skipThrough(revision - 1, response);
    this.#checkContent(this.#matching(revision), events, revision, response);
    this.#nextRevision = revision + 1;
    this.#lastEventRevision = revision;
  }

  #beforeStart(): 'W9' | 'W11' {
    return this.#watch.startRevision > 0 ? 'W9' : 'W11';
  }

  /** Everything through this revision is past: there must have been nothing to deliver. */
  #skipThrough(revision: number, response: WatchResponseRecord): void {
    for (let at = this.#nextRevision; at <= revision; at++) {
      if (this.#matching(at).length === 0) continue;
      const invariant = this.#lastEventRevision === 0 ? 'W6' : 'W5';
      this.#add(invariant, `left out the events of revision ${at}`, response);
    }
    this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
  }

  #checkOwn(event: Event, response: WatchResponseRecord): void {
    if (this.#isMatching(event)) return;
    this.#add('W1', `received an event of ${show(event.kv.key)}, kind ${event.type}`, response);
  }

  #checkUnique(revision: number, events: readonly Event[], response: WatchResponseRecord): void {
    if (revision !== this.#lastEventRevision) this.#seenAtRevision = new Set();
    for (const event of events) {
      const id = `${event.type} ${toLatin1(event.kv.key)}`;
      if (this.#seenAtRevision.has(id)) {
        this.#add('W3', `received ${show(event.kv.key)} at ${revision} twice`, response);
      }
      this.#seenAtRevision.add(id);
    }
  }

  #checkContent(
    expected: readonly Event[],
    events: readonly Event[],
    revision: number,
    response: WatchResponseRecord,
  ): void {
    if (expected.length !== events.length) {
      this.#add(
        'W5',
        `received ${events.length} events of revision ${revision}, expected ${expected.length}`,
        response,
      );
      return;
    }
    expected.forEach((wanted, i) => {
      const event = events[i] as Event;
      const difference =
        wanted.type === event.type
          ? firstDifferenceOf(wanted.kv, event.kv)
          : `kind ${event.type}, expected ${wanted.type}`;
      if (difference !== undefined) {
        this.#add('W5', `event ${i} of revision ${revision}: ${difference}`, response);
      }
      this.#checkPrevious(wanted, event, revision, response);
    });
  }

  /** A previous value that a compaction took away may be missing; a wrong one may not be there. */
  #checkPrevious(
    wanted: Event,
    event: Event,
    revision: number,
    response: WatchResponseRecord,
  ): void {
    const expected = this.#watch.prevKv ? wanted.prevKv : undefined;
    if (event.prevKv === undefined) {
      const mayBeGone = revision - 1 < this.#evidence.compactedBy(response.at);
      if (expected !== undefined && !mayBeGone) {
        this.#add('W8', `the event of revision ${revision} lacks its previous value`, response);
      }
      return;
    }
    const difference = firstDifferenceOf(expected, event.prevKv);
    if (difference !== undefined) {
      this.#add('W8', `the previous value at revision ${revision}: ${difference}`, response);
    }
  }

  #checkHead(): void {
    const { model } = this.#evidence;
    if (!this.#created) {
      this.#add('W12', 'was never created');
      return;
    }
    for (let at = this.#nextRevision; at <= model.revision; at++) {
      if (this.#matching(at).length > 0) {
        this.#add('W12', `has not delivered revision ${at}; the head is ${model.revision}`);
        return;
      }
    }
  }

  #matching(revision: number): Event[] {
    return this.#evidence.model.eventsAt(revision).filter((event) => this.#isMatching(event));
  }

  #isMatching(event: Event): boolean {
    if (event.type === EVENT_PUT && this.#watch.noPut) return false;
    if (event.type === EVENT_DELETE && this.#watch.noDelete) return false;
    const key = toLatin1(event.kv.key);
    return key >= this.#key && (this.#end === undefined || key < this.#end);
  }

  #add(invariant: Violation['invariant'], what: string, response?: WatchResponseRecord): void {
    this.#findings.add(invariant, `${this.#name} ${what}`, [], response?.atUs);
  }
}
