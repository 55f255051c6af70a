/**
 * Rights (AU1, AU2, AU4): who was answered had the right to ask, by the users and roles as the log changed them.
 *
 * A call is judged by every state of them that was somewhere the newest while it was under way. A serializable read may
 * go by an older one, since its member may lag behind (etcd's documented exception); the revision that it shows tells how
 * far its member had come at least.
 */
import { type Operation, type OperationRequest, responseRevision } from '../history/operation.ts';
import { type RightsChange, RightsState } from '../model/rights-model.ts';
import { isKeyValue, isSerializable } from './placement.ts';
import { nameOf } from './strict-serializability.ts';
import { Findings, type Violation } from './violation.ts';

/** A change of users and roles that was not refused. */
export interface AppliedChange {
  readonly index: number;
  /** When the first member applied it. */
  readonly atUs: number;
  /** The store's revision then. */
  readonly revision: number;
  readonly change: RightsChange;
}

/** A stretch of the log over which users and roles stay as they are. */
export interface Era {
  /** The entry that made it; 0: none. */
  readonly fromIndex: number;
  readonly fromUs: number;
  readonly toUs: number;
  /** Whoever shows a later revision has left it behind. */
  readonly toRevision: number;
  readonly state: RightsState;
}

/** Judges every answered call, of tenants and of those who come without a token. */
export function checkRights(
  operations: readonly Operation[],
  changes: readonly AppliedChange[],
): readonly Violation[] {
  const findings = new Findings();
  const eras = erasOf(changes);
  if (eras.length === 1) return [];
  for (const operation of operations) {
    const { outcome, caller, returnedUs, invokedUs, id } = operation;
    if (outcome.kind !== 'ok' || !isJudged(operation)) continue;
    const shown = responseRevision(outcome.response);
    const before = eras.filter(({ fromUs }) => fromUs <= returnedUs);
    const meanwhile = before.filter(({ toUs, toRevision }) =>
      isSerializable(operation) ? toRevision >= shown : toUs >= invokedUs,
    );
    const permits = ({ state }: Era): boolean => isPermitted(state, operation.request, caller);
    if (meanwhile.some(permits)) continue;
    const hadItOnce = before.some((era) => era.state.isOn && permits(era));
    const hadTheRight = meanwhile.some(
      ({ state }) =>
        state.isOn && caller !== undefined && state.may(caller.user, operation.request),
    );
    findings.add(
      hadTheRight ? 'AU4' : hadItOnce ? 'AU2' : 'AU1',
      `${nameOf(operation)} was answered ${caller === undefined ? 'without a token' : `to ${caller.user} with token ${caller.token}`}, ` +
        (hadTheRight ? 'which was void by then' : 'which has no right to it'),
      [id],
      returnedUs,
    );
  }
  return findings.violations;
}

/** Calls of which rights decide; leases belong to everybody. */
function isJudged(operation: Operation): boolean {
  return operation.client > 0 && (isKeyValue(operation) || operation.request.kind === 'compact');
}

function isPermitted(
  state: RightsState,
  request: OperationRequest,
  caller: Operation['caller'],
): boolean {
  if (!state.isOn) return true;
  if (caller === undefined) return false;
  return state.isGood(caller.user, caller.token) && state.may(caller.user, request);
}

/** The eras that changes make, in the order of the log. */
export function erasOf(changes: readonly AppliedChange[]): readonly Era[] {
  let state = RightsState.first;
  const eras: Era[] = [];
  let fromIndex = 0;
  let fromUs = -1;
  for (const { index, atUs, revision, change } of changes) {
    const next = state.after(change, index);
    if (next === state) continue;
    eras.push({ fromIndex, fromUs, toUs: atUs, toRevision: revision, state });
    state = next;
    fromIndex = index;
    fromUs = atUs;
  }
  eras.push({ fromIndex, fromUs, toUs: Infinity, toRevision: Infinity, state });
  return eras;
}
