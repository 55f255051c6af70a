/**
 * Checkpoints of leases. None says less than a holder was told before it (L1): the next leader will go by it. And a leader
 * gives a lease no more than was noted before its time began, and the extension of a promotion (L7, the other half).
 *
 * The latter is judged of answers that no keepalive can have lengthened: every one of the lease was answered before the
 * checkpoint was applied, so that the checkpoint, or one that took it back, came after it.
 */
import type { Operation } from '../history/operation.ts';
import { shortestLifeUs } from './lease.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/** What the log says is left of a lease. */
export interface LeaseCheckpoint {
  readonly leaseId: bigint;
  /** 0 takes back what was noted before. */
  readonly remainingSeconds: number;
  readonly index: number;
  /** When it was first applied anywhere. */
  readonly atUs: number;
}

/** A member began to lead. */
export interface Promotion {
  readonly atUs: number;
  /** What it had applied by then: it goes by the checkpoints up to there. */
  readonly appliedIndex: number;
}

/** What checkpoints are judged by. */
export interface CheckpointEvidence {
  readonly operations: readonly Operation[];
  /** By index. */
  readonly checkpoints: readonly LeaseCheckpoint[];
  /** By time. */
  readonly promotions: readonly Promotion[];
  /** What a lease may get on top at a promotion. */
  readonly extensionUs: number;
  /** Longest time for which a deposed leader may believe that it leads. */
  readonly leaderOverlapUs: number;
  /** Largest drift of any node's clock, in parts per million. */
  readonly maxDriftPpm: number;
}

/** Judges every checkpoint, and every answer that tells what is left of a lease. */
export function checkCheckpoints(evidence: CheckpointEvidence): readonly Violation[] {
  const findings = new Findings();
  // Where nothing is noted, there is nothing to look for.
  if (evidence.checkpoints.length === 0) return findings.violations;
  checkNotShort(evidence, findings);
  checkRemaining(evidence, findings);
  return findings.violations;
}

/** Who was answered before a checkpoint came through was told of a time that it must leave. */
function checkNotShort(evidence: CheckpointEvidence, findings: Findings): void {
  const { checkpoints, leaderOverlapUs, maxDriftPpm } = evidence;
  const told = toldByLease(evidence.operations);
  for (const { leaseId, remainingSeconds, index, atUs } of checkpoints) {
    if (remainingSeconds === 0) continue;
    for (const { operation, ttlSeconds } of told.get(leaseId) ?? []) {
      if (operation.returnedUs > atUs) continue;
      const endUs = operation.invokedUs + shortestLifeUs(ttlSeconds, maxDriftPpm);
      const leftUs = endUs - atUs - leaderOverlapUs;
      if (remainingSeconds * 1_000_000 >= leftUs) continue;
      findings.add(
        'L1',
        `entry ${index} leaves lease ${leaseId} ${remainingSeconds} s, but ${nameOf(operation)}, asked ` +
          `${atUs - operation.invokedUs} us before and answered, was told ${ttlSeconds} s`,
        [operation.id],
        atUs,
      );
    }
  }
}

interface Told {
  readonly operation: Operation;
  readonly ttlSeconds: number;
}

/** The grants and keepalives that were answered with a time. */
function toldByLease(operations: readonly Operation[]): ReadonlyMap<bigint, readonly Told[]> {
  const told = new Map<bigint, Told[]>();
  for (const operation of operations) {
    const { request, outcome } = operation;
    if (request.kind !== 'leaseGrant' && request.kind !== 'leaseKeepAlive') continue;
    if (outcome.kind !== 'ok' || !('ttlSeconds' in outcome.response)) continue;
    const { ttlSeconds } = outcome.response;
    if (ttlSeconds === 0) continue;
    told.set(request.id, [...(told.get(request.id) ?? []), { operation, ttlSeconds }]);
  }
  return told;
}

function checkRemaining(evidence: CheckpointEvidence, findings: Findings): void {
  const extensionSeconds = Math.ceil(evidence.extensionUs / 1_000_000);
  for (const operation of evidence.operations) {
    const { request, outcome } = operation;
    if (request.kind !== 'leaseTimeToLive' || outcome.kind !== 'ok') continue;
    if (outcome.response.kind !== 'leaseTimeToLive') continue;
    const noted = notedFor(evidence, operation, request.id);
    if (noted === undefined || isRenewed(evidence, operation, noted)) continue;
    const { ttlSeconds } = outcome.response;
    if (ttlSeconds <= noted.remainingSeconds + extensionSeconds) continue;
    findings.add(
      'L7',
      `${nameOf(operation)} told ${ttlSeconds} s of lease ${request.id}, but entry ${noted.index}, which its leader ` +
        `had applied before it led, left it ${noted.remainingSeconds} s`,
      [operation.id],
      operation.returnedUs,
    );
  }
}

/** The checkpoint by which the one leader that can have answered went, if it went by one. */
export function notedFor(
  { checkpoints, promotions }: CheckpointEvidence,
  { invokedUs, returnedUs }: Operation,
  leaseId: bigint,
): LeaseCheckpoint | undefined {
  const promotion = promotions.findLast(({ atUs }) => atUs <= returnedUs);
  if (promotion === undefined || promotion.atUs > invokedUs) return undefined;
  const noted = checkpoints.findLast(
    (each) => each.leaseId === leaseId && each.index <= promotion.appliedIndex,
  );
  return noted === undefined || noted.remainingSeconds === 0 ? undefined : noted;
}

/** Whether its time may have begun anew after the checkpoint and before the answer. */
function isRenewed(
  { operations }: CheckpointEvidence,
  { returnedUs }: Operation,
  { leaseId, atUs }: LeaseCheckpoint,
): boolean {
  return operations.some(({ request, outcome, ...times }) => {
    if (request.kind !== 'leaseKeepAlive' || request.id !== leaseId) return false;
    if (outcome.kind === 'failed') return false;
    if (times.invokedUs > returnedUs) return false;
    return outcome.kind === 'unknown' || times.returnedUs >= atUs;
  });
}
