/**
 * What the log's commands were answered for want of a right, by the book (AU1, AU5): each is judged by the users and roles
 * that its entry found, whether or not anybody heard of it.
 *
 * A put under a lease, and a lease's revocation, need the right to write all that hangs on it, which is not looked at.
 */
import type { TxnRequest } from '@etcd-ts/mvcc';
import type { ErrorCode } from '@etcd-ts/protocol';
import type { GhostCommand, GhostEntry } from '../cluster/ghost.ts';
import { DONE } from '../history/verdict.ts';
import { RightsState } from '../model/rights-model.ts';
import { Findings, type Violation } from './violation.ts';

/** Judges the verdict of every entry. `entries`: by index. */
export function checkRightVerdicts(
  entries: readonly (GhostEntry | undefined)[],
): readonly Violation[] {
  const findings = new Findings();
  let state = RightsState.first;
  entries.forEach((entry, index) => {
    if (entry?.command === undefined) return;
    const { command, verdict, atUs } = entry;
    const due = state.refusalOf(command);
    const { username: user = '', authRevision = 0 } = command.caller ?? {};
    const name = `entry ${index} (${entry.kind}) of user '${user}' as of ${authRevision}`;
    if (due !== undefined && verdict !== due) {
      findings.add('AU1', `${name} had to be refused with ${due}: it says ${verdict}`, [], atUs);
    } else if (due === undefined && isRefusal(verdict) && !hasOtherReasons(command, verdict)) {
      findings.add('AU5', `${name} was refused with ${verdict}, without a reason`, [], atUs);
    }
    if (command.kind === 'auth' && verdict === DONE) state = state.after(command.change, index);
  });
  return findings.violations;
}

const REFUSALS: readonly ErrorCode[] = ['PERMISSION_DENIED', 'USER_EMPTY', 'AUTH_OLD_REVISION'];

function isRefusal(verdict: string): boolean {
  return (REFUSALS as readonly string[]).includes(verdict);
}

/** Whether the command may be refused in this way for what is not looked at. */
function hasOtherReasons(command: GhostCommand, verdict: string): boolean {
  switch (command.kind) {
    case 'auth':
      // A user or a role without a name.
      return verdict !== 'PERMISSION_DENIED';
    case 'leaseRevoke':
      return verdict === 'PERMISSION_DENIED';
    case 'put':
      return verdict === 'PERMISSION_DENIED' && command.request.lease !== 0n;
    case 'txn':
      return verdict === 'PERMISSION_DENIED' && namesLease(command.request);
    default:
      return false;
  }
}

/** Whether a transaction may put something under a lease. */
export function namesLease({ success, failure }: Pick<TxnRequest, 'success' | 'failure'>): boolean {
  return [...success, ...failure].some(({ request }) => {
    if (request?.$case === 'requestPut') return request.value.lease !== 0n;
    return request?.$case === 'requestTxn' && namesLease(request.value);
  });
}
