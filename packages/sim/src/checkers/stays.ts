/** Users, roles and tokens as a member had them while somebody waited for its answer. */
import type { Operation } from '../history/operation.ts';
import type { RightsState } from '../model/rights-model.ts';
import type { AppliedChange, Era } from './rights.ts';

/** How far a member had come at a time. */
export interface Standing {
  readonly atUs: number;
  /** The last entry in its state. */
  readonly index: number;
  /** The entry from which on it has applied by itself, since it started or had a snapshot: tokens from before are forgotten. */
  readonly beganAt: number;
}

/** Where a member was between two moments, in the order of time; it was somewhere whenever it answered. */
export type Standings = (member: number, fromUs: number, toUs: number) => readonly Standing[];

/** Users and roles as a member had them for a while. */
export interface Stay {
  readonly state: RightsState;
  /** Where it was when that began: what it applied meanwhile changed neither. */
  readonly index: number;
  readonly beganAt: number;
}

/** In whose name somebody asks, and with which token. */
export type TokenCaller = Operation['caller'];

/** Until then no member has forgotten a token that it heard of: unused ones are kept for 300 s, by a clock that may drift. */
const TOKENS_KEPT_US = 240_000_000;

/** Users and roles where a member was; one stay for each stretch without a change. */
export function staysOf(eras: readonly Era[], standings: readonly Standing[]): readonly Stay[] {
  const stays: Stay[] = [];
  for (const { index, beganAt } of standings) {
    const state = eras.findLast(({ fromIndex }) => fromIndex <= index)?.state;
    if (state === undefined) continue;
    const last = stays.at(-1);
    if (last?.state !== state || last.beganAt !== beganAt) stays.push({ state, index, beganAt });
  }
  return stays;
}

/** Whether the token still stands for its user. */
export function hasToken({ state }: Pick<Stay, 'state'>, caller: TokenCaller): boolean {
  return caller !== undefined && state.isGood(caller.user, caller.token);
}

/** Tells whether a member may refuse a token, where it stayed and at that time. */
export class TokenRefusals {
  /** When each token was given, by the entry that made it. */
  readonly #givenUs = new Map<number, number>();

  constructor(changes: readonly AppliedChange[]) {
    for (const { index, atUs, change } of changes) {
      if (change.op === 'authenticate') this.#givenUs.set(index, atUs);
    }
  }

  /** Whether the token is void there, or the member has not heard of it, or may have forgotten it by then. */
  isDue(stay: Stay, caller: TokenCaller, atUs: number): boolean {
    if (!stay.state.isOn) return false;
    const madeAt = Number(caller?.token.slice(caller.token.indexOf('.') + 1));
    // Itself, and not before it had its state from elsewhere.
    const hasHeard = stay.beganAt < madeAt && madeAt <= stay.index;
    const givenUs = this.#givenUs.get(madeAt) ?? 0;
    return !hasToken(stay, caller) || !hasHeard || atUs - givenUs >= TOKENS_KEPT_US;
  }
}
