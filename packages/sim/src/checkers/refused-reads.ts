/**
 * Reads that were refused as of the future (K3): whoever asks for a revision that somebody has been shown gets it, from
 * every member if he asks linearizably, and otherwise from the member that showed it to him.
 */
import type { RequestOp } from '@etcd-ts/mvcc';
import type { ErrorCode } from '@etcd-ts/protocol';
import type { Operation } from '../history/operation.ts';
import { isSerializable } from './placement.ts';
import { Sightings } from './sightings.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

const OF_THE_FUTURE: ErrorCode = 'FUTURE_REV';

/** Judges reads that were refused with FUTURE_REV. */
export function checkRefusedReads(
  operations: readonly Operation[],
  sightings: Sightings,
): readonly Violation[] {
  const findings = new Findings();
  const refused = operations.filter(
    ({ outcome }) => outcome.kind === 'failed' && outcome.code === OF_THE_FUTURE,
  );
  if (refused.length === 0) return findings.violations;
  const [local, global] = [
    refused.filter(isSerializable),
    refused.filter((each) => !isSerializable(each)),
  ];
  check(global, sightings, findings);
  for (const connection of new Set(local.map((each) => each.connection))) {
    const isOn = (each: Operation): boolean => each.connection === connection;
    check(local.filter(isOn), new Sightings(operations.filter(isOn)), findings);
  }
  return findings.violations;
}

/** In the order in which they were asked. */
function check(refused: readonly Operation[], sightings: Sightings, findings: Findings): void {
  const newestBefore = sightings.newestBefore();
  for (const operation of refused) {
    const newest = newestBefore(operation.invokedAt)?.revision ?? 0;
    const wanted = newestRead(operation);
    if (wanted === undefined || wanted > newest) continue;
    findings.add(
      'K3',
      `${nameOf(operation)} of revision ${wanted} was refused as of the future, but revision ${newest} had been shown before`,
      [operation.id],
      operation.returnedUs,
    );
  }
}

/** The newest revision that the operation may read; undefined when it names none. */
function newestRead({ request }: Operation): number | undefined {
  if (request.kind === 'range') return request.request.revision;
  if (request.kind !== 'txn') return undefined;
  const { success, failure } = request.request;
  return Math.max(...revisionsIn([...success, ...failure]), 0);
}

function revisionsIn(ops: readonly RequestOp[]): readonly number[] {
  return ops.flatMap(({ request }) => {
    if (request?.$case === 'requestRange') return [request.value.revision];
    if (request?.$case !== 'requestTxn') return [];
    return revisionsIn([...request.value.success, ...request.value.failure]);
  });
}
