/**
 * Calls of the key-value service that were refused for want of a right, or for their token (AU5): in some state that the
 * member went through between question and answer there was a reason. A write is judged when the member applies its
 * entry, and what it answers is of the state that it applied it to.
 */
import type { Operation, OperationRequest } from '../history/operation.ts';
import { isKeyValue } from './placement.ts';
import { namesLease } from './right-verdicts.ts';
import { type AppliedChange, erasOf } from './rights.ts';
import { type Standings, type Stay, staysOf, TokenRefusals } from './stays.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/** What refusals are judged by. */
export interface RefusalEvidence {
  readonly operations: readonly Operation[];
  readonly changes: readonly AppliedChange[];
  readonly standings: Standings;
}

/** Judges every refused call that one known member was asked. */
export function checkRefusedCalls(evidence: RefusalEvidence): readonly Violation[] {
  const { operations, changes, standings } = evidence;
  const findings = new Findings();
  const eras = erasOf(changes);
  const tokens = new TokenRefusals(changes);
  for (const operation of operations) {
    const { id, member, outcome, caller, request, invokedUs, returnedUs } = operation;
    if (outcome.kind !== 'failed' || member === 0) continue;
    if (!isKeyValue(operation) && request.kind !== 'compact') continue;
    const { code } = outcome;
    const stays = staysOf(eras, standings(member, invokedUs, returnedUs));
    if (isDue(code, operation, stays, tokens) !== false) continue;
    const who = caller === undefined ? 'without a token' : `${caller.user} with ${caller.token}`;
    findings.add(
      'AU5',
      `${nameOf(operation)} (${who}) was refused with ${code} by member ${member}, without a reason`,
      [id],
      returnedUs,
    );
  }
  return findings.violations;
}

/** Whether there was a reason to refuse a call in this way; undefined: that is not known, or others' business. */
function isDue(
  code: string,
  { caller, request, returnedUs }: Operation,
  stays: readonly Stay[],
  tokens: TokenRefusals,
): boolean | undefined {
  switch (code) {
    case 'PERMISSION_DENIED':
      if (isUnderLease(request)) return undefined;
      return stays.some(
        ({ state }) => state.isOn && (caller === undefined || !state.may(caller.user, request)),
      );
    case 'USER_EMPTY':
      return isUnasked(caller, stays);
    case 'INVALID_AUTH_TOKEN':
      return stays.some((stay) => tokens.isDue(stay, caller, returnedUs));
    case 'AUTH_OLD_REVISION':
      // A simple token is as new as the state of its member; only a change in between makes it older.
      return stays.length > 1;
    default:
      return undefined;
  }
}

/** Whoever comes while nobody is asked for a token is nobody, also if they are asked when his turn comes. */
function isUnasked(caller: Operation['caller'], stays: readonly Stay[]): boolean {
  const lastOn = stays.findLastIndex(({ state }) => state.isOn);
  if (caller === undefined) return lastOn >= 0;
  return stays.slice(0, Math.max(0, lastOn)).some(({ state }) => !state.isOn);
}

/** Such a call needs the right to whatever hangs on the lease, which is not looked at. */
function isUnderLease(request: OperationRequest): boolean {
  if (request.kind === 'put') return request.request.lease !== 0n;
  return request.kind === 'txn' && namesLease(request.request);
}
