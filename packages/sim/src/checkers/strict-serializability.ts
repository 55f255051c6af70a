/**
 * Strict serializability (K1, K3, K6) in linear time.
 *
 * etcd tells the order itself: a write makes a revision of its own, a read shows the one that it saw. So the order is
 * forced, and a history is strictly serializable exactly when (1) every revision was made by one operation or one end of
 * a lease, (2) no operation stands before one that had returned when it was invoked, and (3) replaying that order
 * through the model gives every answer. No search.
 */
import { EtcdModel, ModelError } from '../model/etcd-model.ts';
import type { Operation, OperationResponse } from '../history/operation.ts';
import type { WatchRecord } from '../history/watch-record.ts';
import { firstDifferenceOf } from './difference.ts';
import { type Evidence, isSerializable, type LeaseEnd, place, type Placed } from './placement.ts';
import { Sightings } from './sightings.ts';
import { Findings, type Violation } from './violation.ts';

/** What the check gives: violations, and for the checkers that build on it the model with the whole history replayed. */
export interface SerializabilityResult {
  readonly violations: readonly Violation[];
  readonly model: EtcdModel;
  /** What anybody was shown. */
  readonly sightings: Sightings;
}

/**
 * Judges the answers of the key-value service.
 *
 * @param model Before the first operation.
 */
export function checkStrictSerializability(
  evidence: Evidence,
  model: EtcdModel = new EtcdModel(),
): SerializabilityResult {
  const findings = new Findings();
  const placed = place(evidence);
  const order = orderByRevision(placed, evidence.leaseEnds, findings);
  const sightings = new Sightings(evidence.operations, evidence.watches);
  checkRealTime(placed, sightings, findings);
  replay(model, order, findings);
  return { violations: findings.violations, model, sightings };
}

/** What stands at one revision: at most one maker, and those who saw it. */
interface Slot {
  maker: Placed | LeaseEnd | undefined;
  readonly seers: Placed[];
}

function orderByRevision(
  placed: readonly Placed[],
  leaseEnds: readonly LeaseEnd[],
  findings: Findings,
): Slot[] {
  const slots: Slot[] = [];
  const slotOf = (revision: number): Slot => {
    while (slots.length <= revision) slots.push({ maker: undefined, seers: [] });
    return slots[revision] as Slot;
  };
  const claim = (maker: Placed | LeaseEnd): void => {
    const slot = slotOf(maker.revision);
    if (slot.maker !== undefined) {
      findings.add(
        'K1',
        `revision ${maker.revision} was made twice: by ${name(slot.maker)} and by ${name(maker)}`,
        [...ids(slot.maker), ...ids(maker)],
      );
    } else slot.maker = maker;
  };
  for (const end of leaseEnds) claim(end);
  for (const each of placed) {
    if (each.wrote) claim(each);
    else slotOf(each.revision).seers.push(each);
  }
  for (const { operation, revision } of slotOf(0).seers) {
    findings.add('K3', `${nameOf(operation)} showed revision ${revision}: there is no such`, [
      operation.id,
    ]);
  }
  for (let revision = 2; revision < slots.length; revision++) {
    const slot = slots[revision] as Slot;
    if (slot.maker !== undefined) continue;
    findings.add(
      'K1',
      `revision ${revision} was made by nobody`,
      slot.seers.map((each) => each.operation.id),
    );
  }
  return slots;
}

/**
 * One sweep over invocations and sightings: a write must stand after everything that had been seen when it was invoked, a
 * read not before it. That finds stale reads and reads from the future alike.
 */
function checkRealTime(placed: readonly Placed[], sightings: Sightings, findings: Findings): void {
  const bound = placed.filter((each) => !isSerializable(each.operation));
  const newestBefore = sightings.newestBefore();
  for (const each of bound.sort((a, b) => a.operation.invokedAt - b.operation.invokedAt)) {
    const newest = newestBefore(each.operation.invokedAt);
    if (newest === undefined) continue;
    const isLate = each.wrote ? each.revision <= newest.revision : each.revision < newest.revision;
    if (isLate) {
      findings.add(
        'K1',
        `${name(each)} stands at revision ${each.revision}, but ${witnessName(newest.by)} had been shown ` +
          `revision ${newest.revision} before it was invoked`,
        [...('id' in newest.by ? [newest.by.id] : []), each.operation.id],
        each.operation.returnedUs,
      );
    }
  }
}

function replay(model: EtcdModel, slots: readonly Slot[], findings: Findings): void {
  for (let revision = 1; revision < slots.length && !findings.isFull; revision++) {
    const { maker, seers } = slots[revision] as Slot;
    if (maker !== undefined) {
      if ('leaseId' in maker) model.endLease(maker.leaseId);
      else judge(model, maker, findings);
    }
    if (model.revision !== revision) {
      const by = maker === undefined ? 'nothing' : name(maker);
      findings.add(
        maker !== undefined && 'leaseId' in maker ? 'L3' : 'K1',
        `${by} made revision ${revision}, but by the model the store is then at ${model.revision}`,
        maker === undefined ? [] : ids(maker),
      );
      return;
    }
    for (const seer of seers) judge(model, seer, findings);
  }
}

/** Lets the model answer the same request and compares. */
function judge(model: EtcdModel, placed: Placed, findings: Findings): void {
  const { operation } = placed;
  let expected: OperationResponse | undefined;
  try {
    expected = answer(model, placed);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    findings.add('K3', `${name(placed)} succeeded, but should fail: ${error.code}`, [operation.id]);
    return;
  }
  if (operation.outcome.kind !== 'ok') return;
  const difference = firstDifferenceOf(expected, operation.outcome.response);
  if (difference === undefined) return;
  const invariant = isSerializable(operation) ? 'K6' : placed.wrote ? 'K3' : 'K1';
  findings.add(
    invariant,
    `${name(placed)} at revision ${placed.revision} answered ${difference}`,
    [operation.id],
    operation.returnedUs,
  );
}

function answer(model: EtcdModel, placed: Placed): OperationResponse {
  const { request } = placed.operation;
  switch (request.kind) {
    case 'range':
      return { kind: 'range', result: model.range(request.request, placed.revision) };
    case 'put':
      return { kind: 'put', result: model.put(request.request) };
    case 'deleteRange':
      return { kind: 'deleteRange', result: model.deleteRange(request.request) };
    case 'txn':
      return { kind: 'txn', result: model.txn(request.request) };
    default:
      throw new Error(`${request.kind} is not of the key-value service`);
  }
}

function name(made: Placed | LeaseEnd): string {
  return 'leaseId' in made ? `the end of lease ${made.leaseId}` : nameOf(made.operation);
}

/** Who saw something, in a few words. */
export function witnessName(by: Operation | WatchRecord): string {
  return 'responses' in by ? `a watch of client ${by.client}` : nameOf(by);
}

/** An operation in a few words. */
export function nameOf(operation: Operation): string {
  return `${operation.request.kind} #${operation.id} of client ${operation.client}`;
}

function ids(made: Placed | LeaseEnd): readonly number[] {
  return 'leaseId' in made ? [] : [made.operation.id];
}
