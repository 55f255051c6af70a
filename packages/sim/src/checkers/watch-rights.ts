/**
 * The rights of watches (AU1, AU2, AU4, AU5). Rights decide when a watch is made, and by the state of the member that is
 * asked, however far that lags behind: who was let in had the right there, and who was refused had not, in some state
 * that the member went through between question and answer. What is open goes on after the right is gone (etcd's
 * documented exception), but never beyond the range that was asked for.
 */
import { toLatin1 } from '@etcd-ts/base';
import { errorFromRpcText } from '@etcd-ts/protocol';
import type { WatchRecord, WatchResponseRecord } from '../history/watch-record.ts';
import { rangeLimits } from '../model/key-space.ts';
import type { RightsState } from '../model/rights-model.ts';
import { show } from './difference.ts';
import { type AppliedChange, type Era, erasOf } from './rights.ts';
import { hasToken, type Standings, type Stay, staysOf, TokenRefusals } from './stays.ts';
import { Findings, type InvariantId, type Violation } from './violation.ts';

/** What the rights of watches are judged by. */
export interface WatchRightsEvidence {
  readonly watches: readonly WatchRecord[];
  readonly changes: readonly AppliedChange[];
  readonly standings: Standings;
}

/** Judges every watch that was answered, of tenants and of those who come without a token. */
export function checkWatchRights(evidence: WatchRightsEvidence): readonly Violation[] {
  const { watches, changes, standings } = evidence;
  const findings = new Findings();
  const eras = erasOf(changes);
  if (eras.length === 1) return [];
  const tokens = new TokenRefusals(changes);
  watches.forEach((watch, number) => {
    const add = (invariant: InvariantId, what: string, atUs: number): void => {
      const who =
        watch.caller === undefined
          ? 'without a token'
          : `of ${watch.caller.user} with token ${watch.caller.token}`;
      const message = `watch ${number} of client ${watch.client} at member ${watch.member}, ${who}, from ${show(watch.key)} to ${show(watch.rangeEnd)} ${what}`;
      findings.add(invariant, message, [], atUs);
    };
    checkRange(watch, add);
    const answer = watch.responses.find(({ created }) => created);
    if (answer === undefined) return;
    const stays = staysOf(eras, standings(watch.member, watch.openedUs, answer.atUs));
    if (!answer.canceled) checkOpened(watch, answer, stays, eras, add);
    else if (isWrong(watch, answer, stays, tokens)) {
      add('AU5', `was refused with "${answer.cancelReason}"`, answer.atUs);
    }
  });
  return findings.violations;
}

/** Why a watch was refused, as the code of an error; undefined: it was not, or in other words. */
export function refusalOf({ responses }: WatchRecord): string | undefined {
  const answer = responses.find(({ created }) => created);
  return answer?.canceled === true ? errorFromRpcText(answer.cancelReason)?.code : undefined;
}

/** Whether it was told of something that was written when its tenant had no right to it any more. */
export function outlivesItsRight(watch: WatchRecord, eras: readonly Era[]): boolean {
  return watch.responses.some(({ events }) =>
    events.some(({ kv }) => {
      const era = eras.find(({ toRevision }) => toRevision >= kv.modRevision);
      return era !== undefined && era.state.isOn && !hasRight(era.state, watch);
    }),
  );
}

type Add = (invariant: InvariantId, what: string, atUs: number) => void;

function checkRange(watch: WatchRecord, add: Add): void {
  const from = toLatin1(watch.key);
  const end = rangeLimits(from, toLatin1(watch.rangeEnd));
  for (const { events, atUs } of watch.responses) {
    for (const { kv, prevKv } of events) {
      for (const { key } of prevKv === undefined ? [kv] : [kv, prevKv]) {
        const at = toLatin1(key);
        if (at >= from && (end === undefined || at < end)) continue;
        add('AU1', `was told of ${show(key)}`, atUs);
      }
    }
  }
}

function checkOpened(
  watch: WatchRecord,
  { atUs }: WatchResponseRecord,
  stays: readonly Stay[],
  eras: readonly Era[],
  add: Add,
): void {
  if (stays.some((stay, i) => isLetIn(watch, stay, stays.slice(0, i + 1)))) return;
  const hadTheRight = stays.some(({ state }) => state.isOn && hasRight(state, watch));
  const hadItOnce = eras.some(
    (era) =>
      era.fromUs <= atUs &&
      era.state.isOn &&
      hasToken(era, watch.caller) &&
      hasRight(era.state, watch),
  );
  add(
    hadTheRight ? 'AU4' : hadItOnce ? 'AU2' : 'AU1',
    hadTheRight ? 'was opened with a token that was void by then' : 'was opened without the right',
    atUs,
  );
}

/** The token is looked at first, the right then; entries may be applied between the two. */
function isLetIn(watch: WatchRecord, { state }: Stay, before: readonly Stay[]): boolean {
  if (!state.isOn) return true;
  return hasRight(state, watch) && before.some((stay) => hasToken(stay, watch.caller));
}

/** Whether a refusal is wrong in every state that the member went through. */
function isWrong(
  watch: WatchRecord,
  { atUs }: WatchResponseRecord,
  stays: readonly Stay[],
  tokens: TokenRefusals,
): boolean {
  const { caller } = watch;
  const sometimes = (lacks: (stay: Stay) => boolean): boolean =>
    stays.some((stay) => stay.state.isOn && lacks(stay));
  switch (refusalOf(watch)) {
    case 'PERMISSION_DENIED':
      return !sometimes(({ state }) => !hasRight(state, watch));
    case 'USER_EMPTY':
      return caller !== undefined || !sometimes(() => true);
    case 'INVALID_AUTH_TOKEN':
      return !stays.some((stay) => tokens.isDue(stay, caller, atUs));
    case 'AUTH_OLD_REVISION':
      // A simple token is as new as the state of its member; only a change in between makes it older.
      return stays.length < 2;
    default:
      return false;
  }
}

function hasRight(state: RightsState, { caller, key, rangeEnd }: WatchRecord): boolean {
  return caller !== undefined && state.mayRead(caller.user, key, rangeEnd);
}
